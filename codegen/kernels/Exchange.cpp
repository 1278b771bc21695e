#include "codegen/kernels/Exchange.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec::codegen;

static Value shuffle(ImplicitLocOpBuilder &b, const Team &team, Value value, Value by,
                     gpu::ShuffleMode mode) {
  Value width = arith::ConstantIntOp::create(b, team.subgroup, 32);
  return gpu::ShuffleOp::create(b, value, by, width, mode).getShuffleResult();
}

Value moec::codegen::readThread(ImplicitLocOpBuilder &b, const Team &team, Value value,
                                Value from) {
  return shuffle(b, team, value, from, gpu::ShuffleMode::IDX);
}

Value moec::codegen::readPartner(ImplicitLocOpBuilder &b, const Team &team, Value value,
                                 int64_t bits) {
  return shuffle(b, team, value, arith::ConstantIntOp::create(b, bits, 32), gpu::ShuffleMode::XOR);
}

Value moec::codegen::reduceNeighbours(ImplicitLocOpBuilder &b, const Team &team, int64_t threads,
                                      Value value, Reduction kind) {
  assert(llvm::isPowerOf2_64(threads) && threads <= team.subgroup);
  for (int64_t by = threads / 2; by >= 1; by /= 2) {
    Value other = readPartner(b, team, value, by);
    value = kind == Reduction::Add ? arith::AddFOp::create(b, value, other).getResult()
                                   : arith::MaximumFOp::create(b, value, other).getResult();
  }
  return value;
}

Value moec::codegen::reduceOnce(ImplicitLocOpBuilder &b, const Team &team, Value value,
                                Reduction kind, Value unused) {
  value = reduceNeighbours(b, team, team.partThreads(), value, kind);
  if (team.threads <= team.subgroup)
    return value;
  Value size = constantIndex(b, team.subgroup);
  Value lane = arith::RemUIOp::create(b, team.thread, size);
  Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lane, constantIndex(b, 0));
  ifThen(b, isFirst, [&] {
    Value part = arith::DivUIOp::create(b, team.thread, size);
    memref::StoreOp::create(b, value, unused, part);
  });
  barrier(b, team);
  auto all = VectorType::get(cast<MemRefType>(unused.getType()).getShape(), b.getF32Type());
  auto combining =
      kind == Reduction::Add ? vector::CombiningKind::ADD : vector::CombiningKind::MAXIMUMF;
  return vector::ReductionOp::create(
      b, combining, vector::LoadOp::create(b, all, unused, ValueRange{constantIndex(b, 0)}),
      arith::FastMathFlags::reassoc);
}

static Value reducePart(ImplicitLocOpBuilder &b, Value value, gpu::AllReduceOperation operation) {
  return gpu::SubgroupReduceOp::create(b, value, operation, /*uniform=*/true);
}

Value moec::codegen::maximumOfPart(ImplicitLocOpBuilder &b, Value value) {
  return reducePart(b, value, gpu::AllReduceOperation::MAXUI);
}

Value moec::codegen::minimumOfPart(ImplicitLocOpBuilder &b, Value value) {
  return reducePart(b, value, gpu::AllReduceOperation::MINUI);
}
