// What emitters take for granted and a machine may lack, as operations that every machine has.
#pragma once

#include "mlir/IR/PatternMatch.h"

namespace moec::codegen {

/// arith.extf from and arith.truncf to f8E4M3FN, as integer and f16 operations.
/// extf is exact for all 256 codes; truncf rounds to nearest even, saturates at +-448
/// and turns NaN into 0x7f with the sign kept.
void populateExpandFloatsPatterns(mlir::RewritePatternSet &patterns);

/// math.exp of f32 as a polynomial, within 1 ulp or so over the whole range.
void populateExpandMathPatterns(mlir::RewritePatternSet &patterns);

} // namespace moec::codegen
