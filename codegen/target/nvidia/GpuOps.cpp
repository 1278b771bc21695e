// Threads, barriers and shuffles as intrinsics.
#include "codegen/target/nvidia/Lower.h"

#include "codegen/kernels/Team.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace moec::codegen;

static Value number(OpBuilder &b, Location loc, int32_t value) {
  return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(value));
}

static Value call(OpBuilder &b, Location loc, Type type, const Twine &name, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, loc, type, b.getStringAttr(name), operands).getResult(0);
}

namespace {

/// An index that a special register holds.
template <typename Op> struct ReadRegister : OpRewritePattern<Op> {
  ReadRegister(MLIRContext *context, StringRef name) : OpRewritePattern<Op>(context), name(name) {}
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Value value = call(
        rewriter, op.getLoc(), rewriter.getI32Type(),
        "llvm.nvvm.read.ptx.sreg." + name + "." + gpu::stringifyDimension(op.getDimension()), {});
    rewriter.replaceOpWithNewOp<arith::IndexCastUIOp>(op, rewriter.getIndexType(), value);
    return success();
  }
  StringRef name;
};

struct LowerBarrier : OpRewritePattern<gpu::BarrierOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(gpu::BarrierOp op, PatternRewriter &rewriter) const override {
    Value all = number(rewriter, op.getLoc(), 0);
    rewriter.replaceOpWithNewOp<LLVM::CallIntrinsicOp>(
        op, rewriter.getStringAttr("llvm.nvvm.barrier.cta.sync.aligned.all"), ValueRange{all});
    return success();
  }
};

struct LowerSubgroupBarrier : OpRewritePattern<func::CallOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(func::CallOp op, PatternRewriter &rewriter) const override {
    if (op.getCallee() != kSubgroupBarrier)
      return failure();
    Value all = number(rewriter, op.getLoc(), -1);
    rewriter.replaceOpWithNewOp<LLVM::CallIntrinsicOp>(
        op, rewriter.getStringAttr("llvm.nvvm.bar.warp.sync"), ValueRange{all});
    return success();
  }
};

/// Whole warps shuffle.
struct LowerShuffle : OpRewritePattern<gpu::ShuffleOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(gpu::ShuffleOp op, PatternRewriter &rewriter) const override {
    StringRef mode = op.getMode() == gpu::ShuffleMode::XOR   ? "bfly"
                     : op.getMode() == gpu::ShuffleMode::IDX ? "idx"
                                                             : "";
    Type type = op.getValue().getType();
    if (mode.empty() || (!type.isF32() && !type.isInteger(32)))
      return rewriter.notifyMatchFailure(op, "not a shuffle that emitters use");
    Location loc = op.getLoc();
    Value all = number(rewriter, loc, -1), clamp = number(rewriter, loc, 31);
    Value value =
        call(rewriter, loc, type, "llvm.nvvm.shfl.sync." + mode + (type.isF32() ? ".f32" : ".i32"),
             {all, op.getValue(), op.getOffset(), clamp});
    Value valid = arith::ConstantOp::create(rewriter, loc, rewriter.getBoolAttr(true));
    rewriter.replaceOp(op, ValueRange{value, valid});
    return success();
  }
};

/// The largest or smallest unsigned i32 of a warp.
struct LowerSubgroupReduce : OpRewritePattern<gpu::SubgroupReduceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(gpu::SubgroupReduceOp op,
                                PatternRewriter &rewriter) const override {
    StringRef name = op.getOp() == gpu::AllReduceOperation::MAXUI   ? "umax"
                     : op.getOp() == gpu::AllReduceOperation::MINUI ? "umin"
                                                                    : "";
    if (name.empty() || !op.getType().isInteger(32))
      return rewriter.notifyMatchFailure(op, "not a reduction that emitters use");
    Value all = number(rewriter, op.getLoc(), -1);
    rewriter.replaceOp(op, call(rewriter, op.getLoc(), op.getType(), "llvm.nvvm.redux.sync." + name,
                                {op.getValue(), all}));
    return success();
  }
};

} // namespace

void moec::codegen::populateGpuOpsPatterns(RewritePatternSet &patterns) {
  MLIRContext *context = patterns.getContext();
  patterns.add<ReadRegister<gpu::ThreadIdOp>>(context, "tid");
  patterns.add<ReadRegister<gpu::BlockIdOp>>(context, "ctaid");
  patterns.add<ReadRegister<gpu::GridDimOp>>(context, "nctaid");
  patterns.add<LowerBarrier, LowerSubgroupBarrier, LowerShuffle, LowerSubgroupReduce>(context);
}
