// From tile functions to the LLVM dialect, for the host.
#pragma once

#include "mlir/IR/BuiltinOps.h"

namespace moec::codegen {

class CpuTarget;

/// Lowers all functions of `module` (upstream dialects) to the LLVM dialect, with no
/// calls to a mathematics library.
mlir::LogicalResult lowerToLLVM(mlir::ModuleOp module);

} // namespace moec::codegen
