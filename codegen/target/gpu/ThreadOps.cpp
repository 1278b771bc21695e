#include "codegen/target/gpu/ThreadOps.h"

#include "codegen/kernels/Team.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace moec::codegen;

namespace {

template <typename Op> struct ThreadPattern : OpRewritePattern<Op> {
  ThreadPattern(MLIRContext *context, const ThreadIntrinsics &intrinsics)
      : OpRewritePattern<Op>(context), intrinsics(intrinsics) {}
  ThreadIntrinsics intrinsics;
};

struct LowerThreadId : ThreadPattern<gpu::ThreadIdOp> {
  using ThreadPattern::ThreadPattern;
  LogicalResult matchAndRewrite(gpu::ThreadIdOp op, PatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value place = intrinsics.readThread(b, op.getDimension());
    rewriter.replaceOpWithNewOp<arith::IndexCastUIOp>(op, b.getIndexType(), place);
    return success();
  }
};

struct LowerBarrier : ThreadPattern<gpu::BarrierOp> {
  using ThreadPattern::ThreadPattern;
  LogicalResult matchAndRewrite(gpu::BarrierOp op, PatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    intrinsics.emitBarrier(b);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerSubgroupBarrier : ThreadPattern<func::CallOp> {
  using ThreadPattern::ThreadPattern;
  LogicalResult matchAndRewrite(func::CallOp op, PatternRewriter &rewriter) const override {
    if (op.getCallee() != kSubgroupBarrier)
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    intrinsics.emitSubgroupBarrier(b);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerShuffle : ThreadPattern<gpu::ShuffleOp> {
  using ThreadPattern::ThreadPattern;
  LogicalResult matchAndRewrite(gpu::ShuffleOp op, PatternRewriter &rewriter) const override {
    Type type = op.getValue().getType();
    bool isXor = op.getMode() == gpu::ShuffleMode::XOR;
    if ((!isXor && op.getMode() != gpu::ShuffleMode::IDX) || (!type.isF32() && !type.isInteger(32)))
      return rewriter.notifyMatchFailure(op, "not a shuffle that emitters use");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value value =
        (isXor ? intrinsics.exchange : intrinsics.fetch)(b, op.getValue(), op.getOffset());
    Value valid = arith::ConstantOp::create(b, b.getBoolAttr(true));
    rewriter.replaceOp(op, ValueRange{value, valid});
    return success();
  }
};

struct LowerSubgroupReduce : ThreadPattern<gpu::SubgroupReduceOp> {
  using ThreadPattern::ThreadPattern;
  LogicalResult matchAndRewrite(gpu::SubgroupReduceOp op,
                                PatternRewriter &rewriter) const override {
    bool isMaximum = op.getOp() == gpu::AllReduceOperation::MAXUI;
    if ((!isMaximum && op.getOp() != gpu::AllReduceOperation::MINUI) || !op.getType().isInteger(32))
      return rewriter.notifyMatchFailure(op, "not a reduction that emitters use");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOp(op, intrinsics.reduce(b, op.getValue(), isMaximum));
    return success();
  }
};

} // namespace

void moec::codegen::populateThreadPatterns(RewritePatternSet &patterns,
                                           const ThreadIntrinsics &intrinsics) {
  patterns
      .add<LowerThreadId, LowerBarrier, LowerSubgroupBarrier, LowerShuffle, LowerSubgroupReduce>(
          patterns.getContext(), intrinsics);
}
