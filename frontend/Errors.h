// One way to make an error: `makeError("'{0}': found {1}", path, n)`, with
// llvm::formatv's placeholders. Every message names the file or key, what was
// found and what was expected, and starts in lower case.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FormatVariadic.h"
#include <string>

namespace moec::frontend {

template <typename... Args> llvm::Error makeError(const char *format, Args &&...args) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 llvm::formatv(format, std::forward<Args>(args)...).str());
}

/// A name out of an untrusted file, fit for a terminal: control bytes become
/// '?', and what is longer than 200 bytes is cut.
std::string printable(llvm::StringRef text);

/// "[7168, 2048]"
std::string shapeString(llvm::ArrayRef<int64_t> shape);

} // namespace moec::frontend
