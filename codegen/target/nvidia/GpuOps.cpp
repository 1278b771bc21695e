// Threads, barriers and shuffles as intrinsics.
#include "codegen/target/gpu/ThreadOps.h"
#include "codegen/target/nvidia/Lower.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace moec::codegen;

static Value number(ImplicitLocOpBuilder &b, int32_t value) {
  return LLVM::ConstantOp::create(b, b.getI32Type(), b.getI32IntegerAttr(value));
}

static Value call(ImplicitLocOpBuilder &b, Type type, const Twine &name, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, type, b.getStringAttr(name), operands).getResult(0);
}

static Value readThread(ImplicitLocOpBuilder &b, gpu::Dimension dimension) {
  return call(b, b.getI32Type(),
              "llvm.nvvm.read.ptx.sreg.tid." + gpu::stringifyDimension(dimension), {});
}

static void emitBlockBarrier(ImplicitLocOpBuilder &b) {
  Value all = number(b, 0);
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.nvvm.barrier.cta.sync.aligned.all"),
                                ValueRange{all});
}

static void emitWarpBarrier(ImplicitLocOpBuilder &b) {
  Value all = number(b, -1);
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.nvvm.bar.warp.sync"), ValueRange{all});
}

template <const char *mode>
static Value shuffle(ImplicitLocOpBuilder &b, Value value, Value offset) {
  Type type = value.getType();
  Value all = number(b, -1), clamp = number(b, 31);
  return call(b, type, StringRef("llvm.nvvm.shfl.sync.") + mode + (type.isF32() ? ".f32" : ".i32"),
              {all, value, offset, clamp});
}
static constexpr char kIndexed[] = "idx", kButterfly[] = "bfly";

static Value reduce(ImplicitLocOpBuilder &b, Value value, bool isMaximum) {
  Value all = number(b, -1);
  return call(b, value.getType(),
              StringRef("llvm.nvvm.redux.sync.") + (isMaximum ? "umax" : "umin"), {value, all});
}

void moec::codegen::populateGpuOpsPatterns(RewritePatternSet &patterns) {
  populateThreadPatterns(patterns, {readThread, emitBlockBarrier, emitWarpBarrier,
                                    shuffle<kIndexed>, shuffle<kButterfly>, reduce});
}
