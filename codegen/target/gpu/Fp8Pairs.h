// Conversions between f8E4M3FN and f32 on machines that convert two values at once.
#pragma once

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

namespace moec::codegen {

struct Fp8Pairs {
  /// i16, the first code in the low byte, to vector<2xf32>.
  mlir::Value (*extend)(mlir::ImplicitLocOpBuilder &b, mlir::Value codes);
  /// Two f32 to i16, the first in the low byte: to nearest even, saturating, NaN to a NaN.
  mlir::Value (*truncate)(mlir::ImplicitLocOpBuilder &b, mlir::Value low, mlir::Value high);
};

/// arith.extf from and arith.truncf to f8E4M3FN, of scalars and of vectors of one element or an
/// even number of them.
void populateFp8PairPatterns(mlir::RewritePatternSet &patterns, const Fp8Pairs &pairs);

} // namespace moec::codegen
