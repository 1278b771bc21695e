// From tile functions to the LLVM dialect, for the host.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"

namespace moec::codegen {

class CpuTarget;

/// Lowers all functions of `module` (upstream dialects) to the LLVM dialect, with no
/// calls to a mathematics library.
mlir::LogicalResult lowerToLLVM(mlir::ModuleOp module);

/// arith.extf from and arith.truncf to f8E4M3FN, as integer and f16 operations.
/// extf is exact for all 256 codes; truncf rounds to nearest even, saturates at +-448
/// and turns NaN into 0x7f with the sign kept.
void populateExpandFloatsPatterns(mlir::RewritePatternSet &patterns);

/// math.exp of f32 as a polynomial, within 1 ulp or so over the whole range.
void populateExpandMathPatterns(mlir::RewritePatternSet &patterns);

} // namespace moec::codegen
