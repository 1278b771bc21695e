#include "codegen/kernels/sampling/TeamSums.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec::codegen;

/// An i64 sum goes through registers and memory in two i32; so large sums of their parts stay
/// small.
static constexpr int64_t kLowBits = 20;

static Value constantInt(ImplicitLocOpBuilder &b, int64_t value, unsigned bits) {
  return arith::ConstantIntOp::create(b, value, bits);
}

Value moec::codegen::addInPart(ImplicitLocOpBuilder &b, const Team &part, Value value) {
  for (int64_t by = part.partThreads() / 2; by >= 1; by /= 2) {
    Value other = gpu::ShuffleOp::create(b, value, constantInt(b, by, 32),
                                         constantInt(b, part.subgroup, 32), gpu::ShuffleMode::XOR)
                      .getShuffleResult();
    value = arith::AddIOp::create(b, value, other);
  }
  return value;
}

TeamSums::TeamSums(TileFunction &tile) : b(tile.b), team(tile.getTeam()) {
  if (team.threads > team.subgroup)
    scratch = tile.allocate({2 * (team.threads / team.subgroup)}, b.getI32Type());
}

/// The sum over all parts of row `row` of the scratch.
Value TeamSums::addParts(int64_t row) {
  int64_t parts = team.threads / team.subgroup;
  auto all = VectorType::get({parts}, b.getI32Type());
  Value values = vector::LoadOp::create(b, all, scratch, ValueRange{constantIndex(b, row * parts)});
  return vector::ReductionOp::create(b, vector::CombiningKind::ADD, values);
}

Value TeamSums::add(Value value) {
  if (team.isOne())
    return value;
  Type narrow = b.getI32Type(), wide = b.getI64Type();
  Value mask = constantInt(b, (1 << kLowBits) - 1, 64), shift = constantInt(b, kLowBits, 64);
  Value low = arith::TruncIOp::create(b, narrow, arith::AndIOp::create(b, value, mask).getResult());
  Value high =
      arith::TruncIOp::create(b, narrow, arith::ShRUIOp::create(b, value, shift).getResult());
  low = addInPart(b, team, low);
  high = addInPart(b, team, high);
  if (scratch) {
    Value size = constantIndex(b, team.subgroup);
    Value part = arith::DivUIOp::create(b, team.thread, size);
    Value isFirst =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                              arith::RemUIOp::create(b, team.thread, size), constantIndex(b, 0));
    barrier(b, team); // all have read what was exchanged before
    ifThen(b, isFirst, [&] {
      memref::StoreOp::create(b, low, scratch, part);
      memref::StoreOp::create(b, high, scratch, addIndex(b, part, team.threads / team.subgroup));
    });
    barrier(b, team);
    low = addParts(0);
    high = addParts(1);
  }
  high = arith::ShLIOp::create(b, arith::ExtUIOp::create(b, wide, high), shift);
  return arith::AddIOp::create(b, high, arith::ExtUIOp::create(b, wide, low).getResult());
}

Value TeamSums::addTerms(Value begin, Value end, llvm::function_ref<Value(Value)> term) {
  Value first = team.isOne() ? begin : addIndex(b, begin, team.thread);
  auto step = [&](Value index, ValueRange carried) -> SmallVector<Value> {
    return {arith::AddIOp::create(b, carried[0], term(index))};
  };
  return add(forRange(b, first, end, team.threads, {constantInt(b, 0, 64)}, step)[0]);
}

Value TeamSums::findLast(Value low, Value high, llvm::function_ref<Value(Value)> holds) {
  auto within = [&](llvm::function_ref<void(ValueRange)> body) {
    return [&, body](OpBuilder &inner, Location, ValueRange values) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(inner.getInsertionBlock(), inner.getInsertionPoint());
      body(values);
    };
  };
  Type type = b.getI64Type();
  Value one = constantInt(b, 1, 64);
  auto isOpen = [&](ValueRange range) {
    Value next = arith::AddIOp::create(b, range[0], one);
    Value open = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, next, range[1]);
    scf::ConditionOp::create(b, open, range);
  };
  auto halve = [&](ValueRange range) {
    Value size = arith::SubIOp::create(b, range[1], range[0]);
    Value middle = arith::AddIOp::create(b, range[0], arith::ShRUIOp::create(b, size, one));
    Value does = holds(middle);
    Value newLow = arith::SelectOp::create(b, does, middle, range[0]);
    Value newHigh = arith::SelectOp::create(b, does, range[1], middle);
    scf::YieldOp::create(b, ValueRange{newLow, newHigh});
  };
  auto loop = scf::WhileOp::create(b, TypeRange{type, type}, ValueRange{low, high}, within(isOpen),
                                   within(halve));
  return loop.getResult(0);
}
