// Conversions between E4M3 and f32, two values an instruction.
#include "codegen/target/nvidia/Lower.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

static Value call(ImplicitLocOpBuilder &b, Type type, StringRef name, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, type, b.getStringAttr(name), operands).getResult(0);
}

/// Two codes, the first in the low byte, as vector<2xf32>.
static Value extendPair(ImplicitLocOpBuilder &b, Value codes) {
  Value halves =
      call(b, VectorType::get({2}, b.getF16Type()), "llvm.nvvm.e4m3x2.to.f16x2.rn", codes);
  return arith::ExtFOp::create(b, VectorType::get({2}, b.getF32Type()), halves);
}

/// The codes of two f32 as i16, the first in the low byte.
static Value truncatePair(ImplicitLocOpBuilder &b, Value low, Value high) {
  return call(b, b.getI16Type(), "llvm.nvvm.ff.to.e4m3x2.rn", {high, low});
}

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
  using OpRewritePattern::OpRewritePattern;
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
      Value value = vector::ExtractOp::create(b, extendPair(b, code), 0);
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
      Value pair = extendPair(b, vector::ExtractOp::create(b, codes, i));
      result = vector::InsertStridedSliceOp::create(b, pair, result, ArrayRef<int64_t>{2 * i},
                                                    ArrayRef<int64_t>{1});
    }
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct LowerTruncF : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    auto count = countElements(op.getType());
    if (!count || !isa<Float8E4M3FNType>(getElementTypeOrSelf(op.getType())) ||
        !getElementTypeOrSelf(op.getIn().getType()).isF32())
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto get = [&](int64_t i) -> Value { return vector::ExtractOp::create(b, op.getIn(), i); };
    if (*count < 2) {
      Value value = *count ? get(0) : op.getIn();
      Value code = arith::TruncIOp::create(b, b.getI8Type(), truncatePair(b, value, value));
      if (*count)
        code = vector::BroadcastOp::create(b, VectorType::get({1}, b.getI8Type()), code);
      rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, op.getType(), code);
      return success();
    }
    auto words = VectorType::get({*count / 2}, b.getI16Type());
    Value codes = arith::ConstantOp::create(b, b.getZeroAttr(words));
    for (int64_t i = 0; i < *count / 2; ++i)
      codes = vector::InsertOp::create(b, truncatePair(b, get(2 * i), get(2 * i + 1)), codes, i);
    Value bytes = vector::BitCastOp::create(b, VectorType::get({*count}, b.getI8Type()), codes);
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, op.getType(), bytes);
    return success();
  }
};

} // namespace

void moec::codegen::populateFp8Patterns(RewritePatternSet &patterns) {
  patterns.add<LowerExtF, LowerTruncF>(patterns.getContext());
}
