// From tile functions to the LLVM dialect with the intrinsics of LLVM's AMDGPU backend.
#pragma once

#include "codegen/target/amd/AmdChips.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

namespace moec::codegen {

/// Lowers all functions of `module` (upstream dialects) to the LLVM dialect. No call is left but
/// those of intrinsics.
mlir::LogicalResult lowerToAmdgpu(mlir::ModuleOp module, const AmdChip &chip);

/// gpu.thread_id, barrier, shuffle and subgroup_reduce, and calls of moec.subgroup_barrier.
void populateAmdGpuOpsPatterns(mlir::RewritePatternSet &patterns);

/// E4M3FN by the conversions of two values at once that chips from gfx950 on have. As
/// populateExpandFloatsPatterns, but for the sign of NaNs.
void populateAmdFp8Patterns(mlir::RewritePatternSet &patterns);

} // namespace moec::codegen
