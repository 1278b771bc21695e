// FP8 conversions for machines that have none. Codes go through f16: shifted
// into place, an E4M3 code is the f16 number value / 2^8, subnormals included.
#include "codegen/target/common/Expand.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace {

/// Builds elementwise ops on `shape`-like values (a vector type, or null for scalars).
struct Elementwise {
  ImplicitLocOpBuilder b;
  VectorType shape;

  Elementwise(Operation *op, PatternRewriter &rewriter)
      : b(op->getLoc(), rewriter), shape(dyn_cast<VectorType>(op->getResult(0).getType())) {}

  Type type(Type element) { return shape ? Type(shape.clone(element)) : element; }
  Type integer(unsigned bits) { return type(b.getIntegerType(bits)); }
  Value constant(TypedAttr scalar) {
    if (!shape)
      return arith::ConstantOp::create(b, scalar);
    return arith::ConstantOp::create(
        b, DenseElementsAttr::get(shape.clone(scalar.getType()), Attribute(scalar)));
  }
  Value constant(unsigned bits, int64_t value) {
    return constant(b.getIntegerAttr(b.getIntegerType(bits), value));
  }
  Value bitcast(Type element, Value value) {
    return arith::BitcastOp::create(b, type(element), value);
  }
  Value equal(Value lhs, Value rhs) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lhs, rhs);
  }
};

struct ExpandExtF : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::ExtFOp op, PatternRewriter &rewriter) const override {
    if (!isa<Float8E4M3FNType>(getElementTypeOrSelf(op.getIn().getType())) ||
        !getElementTypeOrSelf(op.getType()).isF32())
      return failure();
    Elementwise e(op, rewriter);
    auto &b = e.b;
    Value code = e.bitcast(b.getI8Type(), op.getIn());
    // seeee.mmm -> s0eeeemmm0000000: the sign is shifted in twice and masked once.
    Value wide = arith::ExtUIOp::create(b, e.integer(16), code);
    wide = arith::ShLIOp::create(b, wide, e.constant(16, 8));
    wide = arith::ShRSIOp::create(b, wide, e.constant(16, 1));
    wide = arith::AndIOp::create(b, wide, e.constant(16, int16_t(0xBF80)));
    Value magnitude = arith::AndIOp::create(b, wide, e.constant(16, 0x3F80));
    Value isNan = e.equal(magnitude, e.constant(16, 0x3F80));
    wide = arith::SelectOp::create(b, isNan, e.constant(16, 0x7E00), wide);
    Value small = arith::ExtFOp::create(b, e.type(b.getF32Type()), e.bitcast(b.getF16Type(), wide));
    rewriter.replaceOpWithNewOp<arith::MulFOp>(op, small, e.constant(b.getF32FloatAttr(256)));
    return success();
  }
};

struct ExpandTruncF : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    if (!isa<Float8E4M3FNType>(getElementTypeOrSelf(op.getType())) ||
        !getElementTypeOrSelf(op.getIn().getType()).isF32())
      return failure();
    Elementwise e(op, rewriter);
    auto &b = e.b;
    auto compare = [&](arith::CmpIPredicate predicate, Value lhs, int64_t rhs) -> Value {
      return arith::CmpIOp::create(b, predicate, lhs, e.constant(32, rhs));
    };
    Value bits = e.bitcast(b.getI32Type(), op.getIn());
    Value magnitude = arith::AndIOp::create(b, bits, e.constant(32, 0x7FFFFFFF));
    Value isNan = compare(arith::CmpIPredicate::ugt, magnitude, 0x7F800000);
    Value clamped = arith::MinUIOp::create(b, magnitude, e.constant(32, 0x43E00000)); // 448

    // Normal codes: round the 20 low bits of the fraction away, move the bias from 127 to 7.
    Value odd = arith::ShRUIOp::create(b, clamped, e.constant(32, 20));
    odd = arith::AndIOp::create(b, odd, e.constant(32, 1));
    Value normal = arith::AddIOp::create(b, clamped, e.constant(32, 0x7FFFF));
    normal = arith::AddIOp::create(b, normal, odd);
    normal = arith::ShRUIOp::create(b, normal, e.constant(32, 20));
    normal = arith::SubIOp::create(b, normal, e.constant(32, (127 - 7) << 3));

    // Subnormal codes count 2^-9: beside 2^14 that is the last place, so the adder rounds.
    Value value = e.bitcast(b.getF32Type(), clamped);
    Value shifted = arith::AddFOp::create(b, value, e.constant(b.getF32FloatAttr(16384)));
    Value subnormal = arith::SubIOp::create(b, e.bitcast(b.getI32Type(), shifted),
                                            e.constant(32, 0x46800000));     // 16384
    Value isSmall = compare(arith::CmpIPredicate::ult, clamped, 0x3C800000); // 2^-6
    Value code = arith::SelectOp::create(b, isSmall, subnormal, normal);
    code = arith::SelectOp::create(b, isNan, e.constant(32, 0x7F), code);
    Value sign = arith::ShRUIOp::create(b, bits, e.constant(32, 24));
    sign = arith::AndIOp::create(b, sign, e.constant(32, 0x80));
    code = arith::OrIOp::create(b, code, sign);
    code = arith::TruncIOp::create(b, e.integer(8), code);
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, op.getType(), code);
    return success();
  }
};

} // namespace

void moec::codegen::populateExpandFloatsPatterns(RewritePatternSet &patterns) {
  patterns.add<ExpandExtF, ExpandTruncF>(patterns.getContext());
}
