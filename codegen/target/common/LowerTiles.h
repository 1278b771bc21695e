// The pass pipeline from tile functions to the LLVM dialect, the same for every target.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

namespace moec::codegen {

/// Lowers all functions of `module`. `expand` replaces what the target lacks while operations are
/// still the emitters'; `convertRest` may add conversions of the target's own dialects.
mlir::LogicalResult lowerTiles(mlir::ModuleOp module, std::unique_ptr<mlir::Pass> expand,
                               llvm::function_ref<void(mlir::PassManager &)> convertRest = nullptr);

} // namespace moec::codegen
