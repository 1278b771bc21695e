// E4M3 in pairs: vectors are taken apart, single values go beside themselves.
#include "codegen/target/gpu/Fp8Pairs.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace moec::codegen;

/// How many elements: 0 for a scalar; nothing for vectors that are neither of one element nor of an
/// even number.
static std::optional<int64_t> countElements(Type type) {
  auto vector = dyn_cast<VectorType>(type);
  if (!vector)
    return 0;
  if (vector.getRank() != 1 || (vector.getDimSize(0) % 2 && vector.getDimSize(0) != 1))
    return std::nullopt;
  return vector.getDimSize(0);
}

namespace {

struct LowerExtF : OpRewritePattern<arith::ExtFOp> {
  LowerExtF(MLIRContext *context, const Fp8Pairs &pairs)
      : OpRewritePattern(context), pairs(pairs) {}
  LogicalResult matchAndRewrite(arith::ExtFOp op, PatternRewriter &rewriter) const override {
    auto count = countElements(op.getType());
    if (!count || !isa<Float8E4M3FNType>(getElementTypeOrSelf(op.getIn().getType())) ||
        !getElementTypeOrSelf(op.getType()).isF32())
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    if (*count < 2) {
      Value code = op.getIn();
      if (*count)
        code = vector::ExtractOp::create(b, code, 0);
      code = arith::ExtUIOp::create(b, b.getI16Type(),
                                    arith::BitcastOp::create(b, b.getI8Type(), code));
      Value value = vector::ExtractOp::create(b, pairs.extend(b, code), 0);
      if (*count)
        value = vector::BroadcastOp::create(b, op.getType(), value);
      rewriter.replaceOp(op, value);
      return success();
    }
    auto bytes = VectorType::get({*count}, b.getI8Type());
    Value codes = vector::BitCastOp::create(b, VectorType::get({*count / 2}, b.getI16Type()),
                                            arith::BitcastOp::create(b, bytes, op.getIn()));
    Value result = arith::ConstantOp::create(b, b.getZeroAttr(op.getType()));
    for (int64_t i = 0; i < *count / 2; ++i) {
      Value pair = pairs.extend(b, vector::ExtractOp::create(b, codes, i));
      result = vector::InsertStridedSliceOp::create(b, pair, result, ArrayRef<int64_t>{2 * i},
                                                    ArrayRef<int64_t>{1});
    }
    rewriter.replaceOp(op, result);
    return success();
  }
  Fp8Pairs pairs;
};

struct LowerTruncF : OpRewritePattern<arith::TruncFOp> {
  LowerTruncF(MLIRContext *context, const Fp8Pairs &pairs)
      : OpRewritePattern(context), pairs(pairs) {}
  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    auto count = countElements(op.getType());
    if (!count || !isa<Float8E4M3FNType>(getElementTypeOrSelf(op.getType())) ||
        !getElementTypeOrSelf(op.getIn().getType()).isF32())
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto get = [&](int64_t i) -> Value { return vector::ExtractOp::create(b, op.getIn(), i); };
    if (*count < 2) {
      Value value = *count ? get(0) : op.getIn();
      Value code = arith::TruncIOp::create(b, b.getI8Type(), pairs.truncate(b, value, value));
      if (*count)
        code = vector::BroadcastOp::create(b, VectorType::get({1}, b.getI8Type()), code);
      rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, op.getType(), code);
      return success();
    }
    auto words = VectorType::get({*count / 2}, b.getI16Type());
    Value codes = arith::ConstantOp::create(b, b.getZeroAttr(words));
    for (int64_t i = 0; i < *count / 2; ++i)
      codes = vector::InsertOp::create(b, pairs.truncate(b, get(2 * i), get(2 * i + 1)), codes, i);
    Value bytes = vector::BitCastOp::create(b, VectorType::get({*count}, b.getI8Type()), codes);
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, op.getType(), bytes);
    return success();
  }
  Fp8Pairs pairs;
};

} // namespace

void moec::codegen::populateFp8PairPatterns(RewritePatternSet &patterns, const Fp8Pairs &pairs) {
  patterns.add<LowerExtF, LowerTruncF>(patterns.getContext(), pairs);
}
