// Object file to shared object, with the linker inside this process.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace moec::codegen {

/// Links one ELF object. Fails when it needs functions other than those of the C
/// library that compilers take for granted (memcpy, memmove, memset). The same object gives the
/// same bytes.
llvm::Expected<std::string> linkSharedObject(llvm::StringRef object);

} // namespace moec::codegen
