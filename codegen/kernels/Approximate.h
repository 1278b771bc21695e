// Arithmetic of teams, whose machines have fast approximations in hardware: f32 results within a
// few units of the last place, where the host rounds correctly. Values are f32 or vectors of it.
#pragma once

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace moec::codegen {

/// e^x: 2^(x log2 e) with the rounding error of the product put back, so that large |x| lose
/// nothing.
mlir::Value approximateExp(mlir::ImplicitLocOpBuilder &b, mlir::Value x);

/// x / y.
mlir::Value approximateDivide(mlir::ImplicitLocOpBuilder &b, mlir::Value x, mlir::Value y);

/// 1 / sqrt(x).
mlir::Value approximateInverseSqrt(mlir::ImplicitLocOpBuilder &b, mlir::Value x);

/// x / y from `inverse`, 1 / y rounded to nearest: the quotient's remainder corrects it, which
/// gives the correctly rounded quotient but where x, y or the quotient are near the ends of the
/// range (Markstein, "Computation of elementary functions on the IBM RISC System/6000 processor").
mlir::Value divideExactly(mlir::ImplicitLocOpBuilder &b, mlir::Value x, mlir::Value y,
                          mlir::Value inverse);

/// 1 / y rounded to nearest, from an approximation within a unit of the last place: y and 1 / y are
/// away from the ends of the range.
mlir::Value invertExactly(mlir::ImplicitLocOpBuilder &b, mlir::Value y);

/// x / (1 + e^-x). `isRounded`: the product with it is rounded to bf16 or less, so that an error of
/// 2^-20 of it is nothing.
mlir::Value approximateSilu(mlir::ImplicitLocOpBuilder &b, mlir::Value x, bool isRounded);

} // namespace moec::codegen
