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

/// `narrow` makes a smaller range of one of at least two values.
Value TeamSums::search(Value low, Value high, int64_t grain,
                       llvm::function_ref<std::pair<Value, Value>(Value, Value)> narrow) {
  auto within = [&](llvm::function_ref<void(ValueRange)> body) {
    return [&, body](OpBuilder &inner, Location, ValueRange values) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(inner.getInsertionBlock(), inner.getInsertionPoint());
      body(values);
    };
  };
  Type type = b.getI64Type();
  auto isOpen = [&](ValueRange range) {
    Value next = arith::AddIOp::create(b, range[0], constantInt(b, grain, 64));
    Value open = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, next, range[1]);
    scf::ConditionOp::create(b, open, range);
  };
  auto step = [&](ValueRange range) {
    auto [newLow, newHigh] = narrow(range[0], range[1]);
    scf::YieldOp::create(b, ValueRange{newLow, newHigh});
  };
  auto loop = scf::WhileOp::create(b, TypeRange{type, type}, ValueRange{low, high}, within(isOpen),
                                   within(step));
  return loop.getResult(0);
}

Value TeamSums::findLast(Value low, Value high, llvm::function_ref<Value(Value)> holds,
                         int64_t grain) {
  auto halve = [&](Value low, Value high) -> std::pair<Value, Value> {
    Value size = arith::SubIOp::create(b, high, low);
    Value half = arith::ShRUIOp::create(b, size, constantInt(b, 1, 64));
    Value middle = arith::AddIOp::create(b, low, half);
    Value does = holds(middle);
    return {arith::SelectOp::create(b, does, middle, low),
            arith::SelectOp::create(b, does, high, middle)};
  };
  return search(low, high, grain, halve);
}

Value TeamSums::countParts(Value holds) {
  Value size = constantIndex(b, team.subgroup);
  Value lane = arith::RemUIOp::create(b, team.thread, size);
  Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lane, constantIndex(b, 0));
  Value vote = arith::ExtUIOp::create(b, b.getI32Type(), holds);
  barrier(b, team); // all have read what was exchanged before
  ifThen(b, isFirst, [&] {
    memref::StoreOp::create(b, vote, scratch,
                            ValueRange{arith::DivUIOp::create(b, team.thread, size)});
  });
  barrier(b, team);
  return arith::ExtUIOp::create(b, b.getI64Type(), addParts(0));
}

Value TeamSums::findLastApart(Value low, Value high, llvm::function_ref<Value(Value)> holds) {
  if (!scratch)
    return findLast(low, high, holds);
  Team whole = team, part(team.lanes);
  Value memory = scratch, size = constantIndex(b, team.subgroup);
  part.threads = part.subgroup = team.subgroup;
  part.thread = arith::RemUIOp::create(b, team.thread, size);
  Value index =
      arith::IndexCastOp::create(b, b.getI64Type(), arith::DivUIOp::create(b, team.thread, size));
  Value one = constantInt(b, 1, 64), parts = constantInt(b, team.threads / team.subgroup, 64);
  auto divide = [&](Value low, Value high) -> std::pair<Value, Value> {
    Value width = arith::CeilDivUIOp::create(b, arith::SubIOp::create(b, high, low),
                                             arith::AddIOp::create(b, parts, one));
    Value last = arith::SubIOp::create(b, high, one);
    // The value that part count - 1 asks for.
    auto getPlace = [&](Value count) -> Value {
      Value at = arith::AddIOp::create(b, low, arith::MulIOp::create(b, count, width));
      return arith::MinSIOp::create(b, at, last);
    };
    Value mine = getPlace(arith::AddIOp::create(b, index, one));
    team = part;
    scratch = {};
    Value does = holds(mine);
    team = whole;
    scratch = memory;
    Value count = countParts(does);
    auto is = [&](Value number) -> Value {
      return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, count, number);
    };
    Value next = getPlace(arith::AddIOp::create(b, count, one));
    return {arith::SelectOp::create(b, is(constantInt(b, 0, 64)), low, getPlace(count)),
            arith::SelectOp::create(b, is(parts), high, next)};
  };
  return search(low, high, /*grain=*/1, divide);
}
