// From tile functions to the LLVM dialect with the intrinsics of LLVM's NVPTX backend.
#pragma once

#include "codegen/target/nvidia/Chips.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

namespace moec::codegen {

/// Lowers all functions of `module` (upstream dialects) to the LLVM dialect. No call is left but
/// those of intrinsics.
mlir::LogicalResult lowerToNvptx(mlir::ModuleOp module, const Chip &chip);

/// gpu.thread_id, barrier, shuffle and subgroup_reduce, and calls of moec.subgroup_barrier.
void populateGpuOpsPatterns(mlir::RewritePatternSet &patterns);

/// arith.extf from and arith.truncf to f8E4M3FN by the conversions of two values at once that chips
/// from sm_89 on have. As populateExpandFloatsPatterns, but that all NaNs become 0x7f.
void populateFp8Patterns(mlir::RewritePatternSet &patterns);

/// arith.extf and arith.truncf between bf16 and f32 of vectors of pairs.
void populateBf16Patterns(mlir::RewritePatternSet &patterns);

/// Quotients, powers of two and inverse square roots of f32 that may be approximate (`afn`): one
/// instruction of the chip each, and a product for a quotient. What is denormal is zero.
void populateApproximatePatterns(mlir::RewritePatternSet &patterns);

} // namespace moec::codegen
