// exp without a library: x = n ln 2 + r, a polynomial for e^r, and 2^n by its bits.
#include "codegen/target/common/Expand.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace {

struct ExpandExp : OpRewritePattern<math::ExpOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::ExpOp op, PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!getElementTypeOrSelf(type).isF32())
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto splat = [&](TypedAttr scalar) -> Value {
      auto vector = dyn_cast<VectorType>(type);
      if (!vector)
        return arith::ConstantOp::create(b, scalar);
      return arith::ConstantOp::create(
          b, DenseElementsAttr::get(vector.clone(scalar.getType()), Attribute(scalar)));
    };
    auto real = [&](double value) { return splat(b.getF32FloatAttr(value)); };
    auto whole = [&](int32_t value) { return splat(b.getI32IntegerAttr(value)); };
    auto fma = [&](Value x, Value y, Value z) -> Value { return math::FmaOp::create(b, x, y, z); };
    Type integer = whole(0).getType();

    // Outside of this range the result is 0 or infinity; both ends still get there.
    Value x = arith::MaximumFOp::create(b, op.getOperand(), real(-105));
    x = arith::MinimumFOp::create(b, x, real(89));

    // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
    Value magic = real(12582912);
    Value shifted = fma(x, real(1.44269504088896340736), magic);
    Value n = arith::SubFOp::create(b, shifted, magic);
    Value exponent =
        arith::SubIOp::create(b, arith::BitcastOp::create(b, integer, shifted), whole(0x4B400000));
    Value r = fma(n, real(-0.693359375), x);
    r = fma(n, real(2.12194440054690583e-4), r);

    // e^r = 1 + r + r^2 q(r) for |r| <= ln 2 / 2.
    Value q = real(1.9875691500e-4);
    for (double coefficient :
         {1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1})
      q = fma(q, r, real(coefficient));
    Value power = arith::AddFOp::create(b, fma(arith::MulFOp::create(b, r, r), q, r), real(1));

    // 2^n in two factors, since n runs from -152 to 128.
    auto twoTo = [&](Value n) -> Value {
      Value bits = arith::ShLIOp::create(b, arith::AddIOp::create(b, n, whole(127)), whole(23));
      return arith::BitcastOp::create(b, type, bits);
    };
    Value half = arith::ShRSIOp::create(b, exponent, whole(1));
    Value rest = arith::SubIOp::create(b, exponent, half);
    power = arith::MulFOp::create(b, power, twoTo(half));
    rewriter.replaceOpWithNewOp<arith::MulFOp>(op, power, twoTo(rest));
    return success();
  }
};

} // namespace

void moec::codegen::populateExpandMathPatterns(RewritePatternSet &patterns) {
  patterns.add<ExpandExp>(patterns.getContext());
}
