// Threads, barriers and shuffles as intrinsics.
#include "codegen/kernels/Team.h"
#include "codegen/target/amd/AmdLower.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace moec::codegen;

static Value call(ImplicitLocOpBuilder &b, Type type, StringRef name, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, type, b.getStringAttr(name), operands).getResult(0);
}

static Value number(ImplicitLocOpBuilder &b, int32_t value) {
  return LLVM::ConstantOp::create(b, b.getI32Type(), b.getI32IntegerAttr(value));
}

/// What the threads of `scope` wrote before is seen by all of them behind it.
static void emitBarrier(ImplicitLocOpBuilder &b, StringRef intrinsic, StringRef scope) {
  LLVM::FenceOp::create(b, LLVM::AtomicOrdering::release, scope);
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr(intrinsic), ValueRange{});
  LLVM::FenceOp::create(b, LLVM::AtomicOrdering::acquire, scope);
}

void moec::codegen::emitGroupBarrier(ImplicitLocOpBuilder &b) {
  emitBarrier(b, "llvm.amdgcn.s.barrier", "workgroup");
}

namespace {

struct LowerThreadId : OpRewritePattern<gpu::ThreadIdOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(gpu::ThreadIdOp op, PatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    std::string name =
        ("llvm.amdgcn.workitem.id." + gpu::stringifyDimension(op.getDimension())).str();
    rewriter.replaceOpWithNewOp<arith::IndexCastUIOp>(op, b.getIndexType(),
                                                      call(b, b.getI32Type(), name, {}));
    return success();
  }
};

struct LowerBarrier : OpRewritePattern<gpu::BarrierOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(gpu::BarrierOp op, PatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    emitGroupBarrier(b);
    rewriter.eraseOp(op);
    return success();
  }
};

/// A wavefront runs in step; only the compiler must keep the order.
struct LowerSubgroupBarrier : OpRewritePattern<func::CallOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(func::CallOp op, PatternRewriter &rewriter) const override {
    if (op.getCallee() != kSubgroupBarrier)
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    emitBarrier(b, "llvm.amdgcn.wave.barrier", "wavefront");
    rewriter.eraseOp(op);
    return success();
  }
};

/// The thread's place in its wavefront.
static Value getLane(ImplicitLocOpBuilder &b) {
  Value low = call(b, b.getI32Type(), "llvm.amdgcn.mbcnt.lo", {number(b, -1), number(b, 0)});
  return call(b, b.getI32Type(), "llvm.amdgcn.mbcnt.hi", {number(b, -1), low});
}

/// What the thread in place `lane` of the wavefront has as `bits`, an i32.
static Value fetch(ImplicitLocOpBuilder &b, Value bits, Value lane) {
  Value address = arith::ShLIOp::create(b, lane, number(b, 2));
  return call(b, b.getI32Type(), "llvm.amdgcn.ds.bpermute", {address, bits});
}

/// What the thread in the place that differs by `by` has. Within halves of 32 the pattern is part
/// of the instruction (ds_swizzle's bit mask mode: and, or, xor of five bits each).
static Value exchange(ImplicitLocOpBuilder &b, Value bits, Value by) {
  APInt constant;
  if (matchPattern(by, m_ConstantInt(&constant)) && constant.ult(32))
    return call(b, b.getI32Type(), "llvm.amdgcn.ds.swizzle",
                {bits, number(b, constant.getZExtValue() << 10 | 0x1F)});
  return fetch(b, bits, arith::XOrIOp::create(b, getLane(b), by));
}

/// Whole wavefronts shuffle.
struct LowerShuffle : OpRewritePattern<gpu::ShuffleOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(gpu::ShuffleOp op, PatternRewriter &rewriter) const override {
    Type type = op.getValue().getType();
    bool isXor = op.getMode() == gpu::ShuffleMode::XOR;
    if ((!isXor && op.getMode() != gpu::ShuffleMode::IDX) || (!type.isF32() && !type.isInteger(32)))
      return rewriter.notifyMatchFailure(op, "not a shuffle that emitters use");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value bits = op.getValue();
    if (type.isF32())
      bits = arith::BitcastOp::create(b, b.getI32Type(), bits);
    bits = isXor ? exchange(b, bits, op.getOffset()) : fetch(b, bits, op.getOffset());
    if (type.isF32())
      bits = arith::BitcastOp::create(b, type, bits);
    Value valid = arith::ConstantOp::create(b, b.getBoolAttr(true));
    rewriter.replaceOp(op, ValueRange{bits, valid});
    return success();
  }
};

/// The largest or smallest unsigned i32 of a wavefront, by halves of it; one register for all.
struct LowerSubgroupReduce : OpRewritePattern<gpu::SubgroupReduceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(gpu::SubgroupReduceOp op,
                                PatternRewriter &rewriter) const override {
    bool isMaximum = op.getOp() == gpu::AllReduceOperation::MAXUI;
    if ((!isMaximum && op.getOp() != gpu::AllReduceOperation::MINUI) || !op.getType().isInteger(32))
      return rewriter.notifyMatchFailure(op, "not a reduction that emitters use");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value value = op.getValue();
    for (int32_t by = kWavefront / 2; by; by /= 2) {
      Value other = exchange(b, value, number(b, by));
      value = isMaximum ? arith::MaxUIOp::create(b, value, other).getResult()
                        : arith::MinUIOp::create(b, value, other).getResult();
    }
    rewriter.replaceOp(op, call(b, b.getI32Type(), "llvm.amdgcn.readfirstlane", {value}));
    return success();
  }
};

} // namespace

void moec::codegen::populateAmdGpuOpsPatterns(RewritePatternSet &patterns) {
  patterns
      .add<LowerThreadId, LowerBarrier, LowerSubgroupBarrier, LowerShuffle, LowerSubgroupReduce>(
          patterns.getContext());
}
