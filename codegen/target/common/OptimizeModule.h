// LLVM's part of the way from tile functions to code.
#pragma once

#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"

namespace moec::codegen {

/// LLVM's O3 pipeline for `machine`.
void optimizeModule(llvm::Module &module, llvm::TargetMachine &machine);

/// Object or assembly of an optimised module.
llvm::Expected<std::string> generateCode(llvm::Module &module, llvm::TargetMachine &machine,
                                         llvm::CodeGenFileType type);

} // namespace moec::codegen
