// LLVM's part of the way from tile functions to code.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"

namespace moec::codegen {

/// A module of the LLVM dialect as LLVM IR for `machine`. The caller registers the translations of
/// other dialects that occur in it.
llvm::Expected<std::unique_ptr<llvm::Module>> translateModule(mlir::ModuleOp module,
                                                              llvm::LLVMContext &context,
                                                              const llvm::TargetMachine &machine);

/// LLVM's O3 pipeline for `machine`.
void optimizeModule(llvm::Module &module, llvm::TargetMachine &machine);

/// Object or assembly of an optimised module.
llvm::Expected<std::string> generateCode(llvm::Module &module, llvm::TargetMachine &machine,
                                         llvm::CodeGenFileType type);

} // namespace moec::codegen
