// Operations that need not round correctly (`afn`) by the chip's approximations, which take values
// below the smallest normal number for zero and leave no smaller ones: no code for those.
#include "codegen/target/nvidia/Lower.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace moec::codegen;

/// The intrinsic of each element of `x`.
static Value callEach(ImplicitLocOpBuilder &b, StringRef name, Value x) {
  auto call = [&](Value value) -> Value {
    return LLVM::CallIntrinsicOp::create(b, b.getF32Type(), b.getStringAttr(name), value)
        .getResult(0);
  };
  auto type = dyn_cast<VectorType>(x.getType());
  if (!type)
    return call(x);
  SmallVector<Value> values;
  for (int64_t i = 0; i < type.getDimSize(0); ++i)
    values.push_back(call(vector::ExtractOp::create(b, x, i)));
  return vector::FromElementsOp::create(b, type, values);
}

/// Whether an op is one on f32, or vectors of it, that may be approximate.
template <typename Op> static bool mayApproximate(Op op) {
  auto type = dyn_cast<VectorType>(op.getType());
  return bitEnumContainsAll(op.getFastmath(), arith::FastMathFlags::afn) &&
         getElementTypeOrSelf(op.getType()).isF32() && (!type || type.getRank() == 1);
}

namespace {

template <typename Op> struct CallIntrinsic : OpRewritePattern<Op> {
  CallIntrinsic(MLIRContext *context, StringRef name) : OpRewritePattern<Op>(context), name(name) {}
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    if (!mayApproximate(op))
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOp(op, callEach(b, name, op.getOperand()));
    return success();
  }
  StringRef name;
};

struct MultiplyByReciprocal : OpRewritePattern<arith::DivFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::DivFOp op, PatternRewriter &rewriter) const override {
    if (!mayApproximate(op))
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value inverse = callEach(b, "llvm.nvvm.rcp.approx.ftz.f", op.getRhs());
    if (!matchPattern(op.getLhs(), m_OneFloat()))
      inverse = arith::MulFOp::create(b, op.getLhs(), inverse);
    rewriter.replaceOp(op, inverse);
    return success();
  }
};

} // namespace

void moec::codegen::populateApproximatePatterns(RewritePatternSet &patterns) {
  MLIRContext *context = patterns.getContext();
  patterns.add<CallIntrinsic<math::Exp2Op>>(context, "llvm.nvvm.ex2.approx.ftz.f32");
  patterns.add<CallIntrinsic<math::RsqrtOp>>(context, "llvm.nvvm.rsqrt.approx.ftz.f");
  patterns.add<MultiplyByReciprocal>(context);
}
