#include "codegen/kernels/Approximate.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace moec::codegen;

/// Says that an operation need not round correctly.
static constexpr arith::FastMathFlags kApproximate = arith::FastMathFlags::afn;

/// `value` as a constant of the type of `like`.
static Value constantLike(ImplicitLocOpBuilder &b, Value like, double value) {
  FloatAttr scalar = b.getF32FloatAttr(value);
  if (auto vector = dyn_cast<VectorType>(like.getType()))
    return arith::ConstantOp::create(b, DenseElementsAttr::get(vector, scalar));
  return arith::ConstantOp::create(b, scalar);
}

Value moec::codegen::approximateExp(ImplicitLocOpBuilder &b, Value x) {
  // log2(e) in two parts, and ln(2).
  Value high = constantLike(b, x, 0x1.715476p+0), low = constantLike(b, x, 0x1.4ae0cp-26);
  Value product = arith::MulFOp::create(b, x, high);
  Value rest = math::FmaOp::create(b, x, high, arith::NegFOp::create(b, product));
  rest = math::FmaOp::create(b, x, low, rest);
  Value power = math::Exp2Op::create(b, product, kApproximate);
  // An infinite x leaves no rest.
  Value isRest = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, math::AbsFOp::create(b, rest),
                                       constantLike(b, x, 1));
  rest = arith::SelectOp::create(b, isRest, rest, constantLike(b, x, 0));
  Value one = constantLike(b, x, 1), ln2 = constantLike(b, x, 0x1.62e43p-1);
  return arith::MulFOp::create(b, power, math::FmaOp::create(b, rest, ln2, one));
}

Value moec::codegen::approximateDivide(ImplicitLocOpBuilder &b, Value x, Value y) {
  return arith::DivFOp::create(b, x, y, kApproximate);
}

Value moec::codegen::approximateInverseSqrt(ImplicitLocOpBuilder &b, Value x) {
  return math::RsqrtOp::create(b, x, kApproximate);
}

Value moec::codegen::divideExactly(ImplicitLocOpBuilder &b, Value x, Value y, Value inverse) {
  Value quotient = arith::MulFOp::create(b, x, inverse);
  Value remainder = math::FmaOp::create(b, arith::NegFOp::create(b, quotient), y, x);
  return math::FmaOp::create(b, remainder, inverse, quotient);
}

Value moec::codegen::invertExactly(ImplicitLocOpBuilder &b, Value y) {
  Value one = constantLike(b, y, 1), guess = approximateDivide(b, one, y);
  Value error = math::FmaOp::create(b, arith::NegFOp::create(b, y), guess, one);
  return math::FmaOp::create(b, error, guess, guess);
}

Value moec::codegen::approximateSilu(ImplicitLocOpBuilder &b, Value x, bool isRounded) {
  Value decay;
  if (isRounded) // an error of |x| 2^-24 is nothing to what rounding makes
    decay = math::Exp2Op::create(b, arith::MulFOp::create(b, x, constantLike(b, x, -0x1.715476p+0)),
                                 kApproximate);
  else
    decay = approximateExp(b, arith::NegFOp::create(b, x));
  Value divisor = arith::AddFOp::create(b, constantLike(b, x, 1), decay);
  return approximateDivide(b, x, divisor);
}
