#include "codegen/kernels/sampling/TokenWeight.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec::codegen;

// 1.5 * 2^23: a sum with it is rounded to an integer, which its low bits are.
static constexpr double kRounder = 12582912;
static constexpr int32_t kRounderBits = 0x4B400000;
static constexpr int32_t kExponentBias = 127, kMantissaBits = 23, kWeightBits = 30;
static constexpr double kLowest = -(kWeightBits + 2);
static constexpr unsigned kDegree = 7;

static Value constantInts(ImplicitLocOpBuilder &b, int32_t value, int64_t lanes) {
  auto type = VectorType::get({lanes}, b.getI32Type());
  return arith::ConstantOp::create(b, DenseElementsAttr::get(type, value));
}

/// 2^x for -0.5 <= x <= 0.5, by its series.
static Value emitPower(ImplicitLocOpBuilder &b, Value x, int64_t lanes) {
  constexpr double kLn2 = 0.693147180559945309417;
  double coefficients[kDegree + 1] = {1};
  for (unsigned k = 1; k <= kDegree; ++k)
    coefficients[k] = coefficients[k - 1] * (kLn2 / k);
  Value power = constantFloat(b, coefficients[kDegree], lanes);
  for (int k = kDegree - 1; k >= 0; --k) {
    power = arith::MulFOp::create(b, power, x);
    power = arith::AddFOp::create(b, power, constantFloat(b, coefficients[k], lanes));
  }
  return power;
}

Value moec::codegen::emitWeights(ImplicitLocOpBuilder &b, Value logits, Value largest,
                                 Value factor) {
  int64_t lanes = cast<VectorType>(logits.getType()).getDimSize(0);
  Value top = splat(b, largest, lanes);
  Value isTop = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, logits, top);
  Value distance =
      arith::MulFOp::create(b, arith::SubFOp::create(b, logits, top), splat(b, factor, lanes));
  // Infinities of one sign have no difference.
  distance = arith::SelectOp::create(b, isTop, constantFloat(b, 0, lanes), distance);
  Value lowest = constantFloat(b, kLowest, lanes);
  Value isAbove = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, distance, lowest);
  distance = arith::SelectOp::create(b, isAbove, distance, lowest);

  Value rounder = constantFloat(b, kRounder, lanes);
  Value shifted = arith::AddFOp::create(b, distance, rounder);
  Value rest =
      arith::SubFOp::create(b, distance, arith::SubFOp::create(b, shifted, rounder).getResult());
  Value power = emitPower(b, rest, lanes);

  auto ints = VectorType::get({lanes}, b.getI32Type());
  Value whole = arith::BitcastOp::create(b, ints, shifted);
  int32_t bias = kExponentBias + kWeightBits - kRounderBits;
  Value exponent = arith::AddIOp::create(b, whole, constantInts(b, bias, lanes));
  exponent = arith::ShLIOp::create(b, exponent, constantInts(b, kMantissaBits, lanes));
  Value unit = arith::BitcastOp::create(b, floatVector(b, lanes), exponent);
  Value weight = arith::MulFOp::create(b, power, unit);
  weight = arith::AddFOp::create(b, weight, constantFloat(b, 0.5, lanes));
  return arith::FPToSIOp::create(b, ints, weight);
}

Value moec::codegen::emitWeight(ImplicitLocOpBuilder &b, Value logit, Value largest, Value factor) {
  Value weight = emitWeights(b, splat(b, logit, 1), largest, factor);
  return arith::ExtUIOp::create(b, b.getI64Type(), vector::ExtractOp::create(b, weight, 0));
}
