// Object file to shared object, with the linker inside this process.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace moec::codegen {

/// Links one ELF object, of any machine that LLD knows. Fails when it needs symbols other than
/// those of `promised`. The same object gives the same bytes.
llvm::Expected<std::string> linkSharedObject(llvm::StringRef object,
                                             llvm::ArrayRef<llvm::StringRef> promised = {});

} // namespace moec::codegen
