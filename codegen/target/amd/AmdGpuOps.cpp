// Threads, barriers and shuffles as intrinsics.
#include "codegen/target/amd/AmdLower.h"
#include "codegen/target/gpu/ThreadOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
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

/// Of a workgroup: memory in order, LDS included.
static void emitGroupBarrier(ImplicitLocOpBuilder &b) {
  emitBarrier(b, "llvm.amdgcn.s.barrier", "workgroup");
}

static Value readThread(ImplicitLocOpBuilder &b, gpu::Dimension dimension) {
  return call(b, b.getI32Type(),
              ("llvm.amdgcn.workitem.id." + gpu::stringifyDimension(dimension)).str(), {});
}

/// A wavefront runs in step; only the compiler must keep the order.
static void emitWaveBarrier(ImplicitLocOpBuilder &b) {
  emitBarrier(b, "llvm.amdgcn.wave.barrier", "wavefront");
}

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

/// What `move` does to an i32, to the bits of an f32 too.
template <Value (*move)(ImplicitLocOpBuilder &, Value, Value)>
static Value shuffle(ImplicitLocOpBuilder &b, Value value, Value offset) {
  Type type = value.getType();
  if (!type.isF32())
    return move(b, value, offset);
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), value);
  return arith::BitcastOp::create(b, type, move(b, bits, offset));
}

/// By halves of the wavefront; one register for all.
static Value reduce(ImplicitLocOpBuilder &b, Value value, bool isMaximum) {
  for (int32_t by = kWavefront / 2; by; by /= 2) {
    Value other = exchange(b, value, number(b, by));
    value = isMaximum ? arith::MaxUIOp::create(b, value, other).getResult()
                      : arith::MinUIOp::create(b, value, other).getResult();
  }
  return call(b, b.getI32Type(), "llvm.amdgcn.readfirstlane", {value});
}

void moec::codegen::populateAmdGpuOpsPatterns(RewritePatternSet &patterns) {
  populateThreadPatterns(patterns, {readThread, emitGroupBarrier, emitWaveBarrier, shuffle<fetch>,
                                    shuffle<exchange>, reduce});
}
