// Conversions between bf16 and f32 of vectors, two values at a time: one instruction rounds a pair,
// and each half of a pair is the upper half of its f32.
#include "codegen/target/nvidia/Lower.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec::codegen;

/// The type, where it is a vector of an even number of `element`; else null.
static VectorType getPairs(Type type, Type element) {
  auto vector = dyn_cast<VectorType>(type);
  bool isPairs = vector && vector.getRank() == 1 && vector.getDimSize(0) % 2 == 0 &&
                 vector.getElementType() == element;
  return isPairs ? vector : VectorType();
}

namespace {

struct RoundPairs : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    VectorType type = getPairs(op.getType(), b.getBF16Type());
    if (!type || !getPairs(op.getIn().getType(), b.getF32Type()))
      return failure();
    auto pair = VectorType::get({2}, b.getBF16Type());
    auto word = VectorType::get({1}, b.getI32Type());
    SmallVector<Value> words;
    for (int64_t i = 0; i < type.getDimSize(0); i += 2) {
      Value low = vector::ExtractOp::create(b, op.getIn(), i);
      Value high = vector::ExtractOp::create(b, op.getIn(), i + 1);
      Value rounded = LLVM::CallIntrinsicOp::create(
                          b, pair, b.getStringAttr("llvm.nvvm.ff2bf16x2.rn"), ValueRange{high, low})
                          .getResult(0);
      words.push_back(vector::ExtractOp::create(b, vector::BitCastOp::create(b, word, rounded), 0));
    }
    auto wordsType = VectorType::get({int64_t(words.size())}, b.getI32Type());
    rewriter.replaceOpWithNewOp<vector::BitCastOp>(
        op, type, vector::FromElementsOp::create(b, wordsType, words));
    return success();
  }
};

struct ExtendPairs : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::ExtFOp op, PatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    VectorType type = getPairs(op.getType(), b.getF32Type());
    if (!type || !getPairs(op.getIn().getType(), b.getBF16Type()))
      return failure();
    int64_t pairs = type.getDimSize(0) / 2;
    Value words =
        vector::BitCastOp::create(b, VectorType::get({pairs}, b.getI32Type()), op.getIn());
    Value half = arith::ConstantIntOp::create(b, 16, 32);
    Value upper = arith::ConstantIntOp::create(b, int64_t(0xFFFF0000), 32);
    SmallVector<Value> values;
    for (int64_t i = 0; i < pairs; ++i) {
      Value word = vector::ExtractOp::create(b, words, i);
      for (Value bits : {arith::ShLIOp::create(b, word, half).getResult(),
                         arith::AndIOp::create(b, word, upper).getResult()})
        values.push_back(arith::BitcastOp::create(b, b.getF32Type(), bits));
    }
    rewriter.replaceOpWithNewOp<vector::FromElementsOp>(op, type, values);
    return success();
  }
};

} // namespace

void moec::codegen::populateBf16Patterns(RewritePatternSet &patterns) {
  patterns.add<RoundPairs, ExtendPairs>(patterns.getContext());
}
