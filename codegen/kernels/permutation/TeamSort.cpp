#include "codegen/kernels/permutation/TeamSort.h"

#include "codegen/kernels/Exchange.h"
#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/permutation/FewSort.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;
using arith::CmpIPredicate;

/// The result's buffer; null when the kernel does not yield it.
static Buffer getResult(TileFunction &tile, Value value) {
  auto results = tile.getResultsOf(value);
  return results.empty() ? Buffer{} : tile.getResult(results.front());
}

TeamSort::TeamSort(TileFunction &tile, moe::PermuteOp permute)
    : b(tile.b), tile(tile), team(tile.getTeam()), ids(tile.getArgument(permute.getIds())),
      rows(getResult(tile, permute.getRows())), slots(getResult(tile, permute.getSlots())),
      offsets(getResult(tile, permute.getOffsets())),
      topK(moe::getShape(permute.getIds().getType())[1]),
      experts(moe::getShape(permute.getOffsets().getType())[0] - 1),
      subgroups(team.threads / team.subgroup), before(tile.allocate({experts}, b.getI32Type())),
      rest(tile.allocate({experts}, b.getI32Type())),
      starts(tile.allocate({experts}, b.getI32Type())),
      cursors(tile.allocate({subgroups, experts}, b.getI32Type())) {
  Value size = constantIndex(b, team.subgroup);
  lane = arith::RemUIOp::create(b, team.thread, size);
  subgroup = arith::DivUIOp::create(b, team.thread, size);
}

int64_t TeamSort::countBytes(int64_t experts, int64_t threads, const Machine &machine) {
  constexpr int64_t kAlignment = 64;
  return (3 + threads / machine.subgroup) * experts * 4 + 4 * kAlignment;
}

Value TeamSort::number(int64_t value) { return arith::ConstantIntOp::create(b, value, 32); }

void TeamSort::count(Value memory, ValueRange at) {
  memref::AtomicRMWOp::create(b, arith::AtomicRMWKind::addi, number(1), memory, at);
}

void TeamSort::emit(Value begin, Value end) {
  firstToken = begin;
  numPairs = mulIndex(b, arith::SubIOp::create(b, end, begin), topK);
  // So few are one tile's.
  Value all = mulIndex(b, ids.rows, topK);
  Value areFew = arith::CmpIOp::create(b, CmpIPredicate::ule, all, constantIndex(b, team.subgroup));
  auto branch = scf::IfOp::create(b, areFew, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  FewSort{b, team, ids, rows, slots, offsets, topK, experts}.emit(all);
  b.setInsertionPointToStart(branch.elseBlock());
  sortShare();
}

void TeamSort::sortShare() {
  clear();
  barrier(b, team);
  countTokens(constantIndex(b, 0), firstToken, before);
  countTokens(firstToken, ids.rows, rest);
  countRuns();
  barrier(b, team);
  findStarts();
  barrier(b, team);
  findCursors();
  barrier(b, team);
  place();
}

//===----------------------------------------------------------------------===//
// Counting
//===----------------------------------------------------------------------===//

void TeamSort::clear() {
  Value zero = constantIndex(b, 0);
  forScalars(b, team, zero, constantIndex(b, experts), [&](Value expert) {
    memref::StoreOp::create(b, number(0), before, expert);
    memref::StoreOp::create(b, number(0), rest, expert);
    for (int64_t i = 0; i < subgroups; ++i)
      memref::StoreOp::create(b, number(0), cursors, ValueRange{constantIndex(b, i), expert});
  });
}

void TeamSort::countTokens(Value begin, Value end, Value counts) {
  forScalars(b, team, begin, end, [&](Value token) {
    SmallVector<Value> chosen;
    for (int64_t choice = 0; choice < topK; ++choice)
      chosen.push_back(loadIndex(b, ids.data, {token, constantIndex(b, choice)}));
    for (Value expert : chosen)
      count(counts, expert);
  });
}

void TeamSort::forRun(llvm::function_ref<void(Value, Value, Value)> body) {
  // Runs of whole steps of the subgroup, as even as can be.
  int64_t size = subgroups * team.subgroup;
  Value stepsOfRun =
      arith::DivUIOp::create(b, addIndex(b, numPairs, size - 1), constantIndex(b, size));
  Value run = mulIndex(b, stepsOfRun, team.subgroup);
  Value begin = arith::MulIOp::create(b, subgroup, run);
  forRange(b, begin, arith::AddIOp::create(b, begin, run), team.subgroup, [&](Value step) {
    Value pair = arith::AddIOp::create(b, step, lane);
    Value isPair = arith::CmpIOp::create(b, CmpIPredicate::ult, pair, numPairs);
    auto branch = scf::IfOp::create(b, TypeRange{b.getI32Type()}, isPair, /*withElseRegion=*/true);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      scf::YieldOp::create(b, ValueRange{memref::LoadOp::create(b, ids.data, locate(pair))});
      b.setInsertionPointToStart(branch.elseBlock());
      scf::YieldOp::create(b, ValueRange{number(-1)});
    }
    body(pair, branch.getResult(0), isPair);
  });
}

SmallVector<Value> TeamSort::locate(Value pair) {
  Value count = constantIndex(b, topK);
  Value token = arith::AddIOp::create(b, firstToken, arith::DivUIOp::create(b, pair, count));
  return {token, arith::RemUIOp::create(b, pair, count)};
}

void TeamSort::countRuns() {
  forRun([&](Value, Value expert, Value isPair) {
    Value index = arith::IndexCastOp::create(b, b.getIndexType(), expert);
    ifThen(b, isPair, [&] { count(cursors, {subgroup, index}); });
  });
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

/// By the first subgroup: each thread has neighbouring experts, and learns what is before them.
void TeamSort::findStarts() {
  Value isFirst =
      arith::CmpIOp::create(b, CmpIPredicate::ult, team.thread, constantIndex(b, team.subgroup));
  ifThen(b, isFirst, [&] {
    int64_t own = llvm::divideCeil(experts, team.subgroup);
    Value zero = constantIndex(b, 0), end = constantIndex(b, experts);
    Value from = arith::MinUIOp::create(b, mulIndex(b, lane, own), end);
    Value to = arith::MinUIOp::create(b, addIndex(b, mulIndex(b, lane, own), own), end);
    auto add = [&](Value expert, Value total) -> Value {
      Value pairs = arith::AddIOp::create(b, memref::LoadOp::create(b, before, expert),
                                          memref::LoadOp::create(b, rest, expert));
      return arith::AddIOp::create(b, total, pairs);
    };
    auto step = [&](Value expert, ValueRange carried) -> SmallVector<Value> {
      return {add(expert, carried[0])};
    };
    Value mine = forRange(b, from, to, 1, number(0), step)[0], total = mine;
    Value thread = arith::IndexCastOp::create(b, b.getI32Type(), lane);
    for (int64_t by = 1; by < team.subgroup; by *= 2) {
      Value source = arith::SubIOp::create(b, thread, number(by));
      Value has = arith::CmpIOp::create(b, CmpIPredicate::sge, source, number(0));
      source = arith::MaxSIOp::create(b, source, number(0));
      Value other = readThread(b, team, total, source);
      other = arith::SelectOp::create(b, has, other, number(0));
      total = arith::AddIOp::create(b, total, other);
    }
    Value start = arith::SubIOp::create(b, total, mine);
    forRange(b, from, to, 1, start, [&](Value expert, ValueRange carried) -> SmallVector<Value> {
      memref::StoreOp::create(b, carried[0], starts, expert);
      return {add(expert, carried[0])};
    });
    if (!offsets)
      return;
    Value isFirstTile = arith::CmpIOp::create(b, CmpIPredicate::eq, tile.getTile(), zero);
    ifThen(b, isFirstTile, [&] {
      forRange(b, from, to, 1, start, [&](Value expert, ValueRange carried) -> SmallVector<Value> {
        memref::StoreOp::create(b, carried[0], offsets.data, expert);
        return {add(expert, carried[0])};
      });
      Value isLast =
          arith::CmpIOp::create(b, CmpIPredicate::eq, lane, constantIndex(b, team.subgroup - 1));
      ifThen(b, isLast, [&] { memref::StoreOp::create(b, total, offsets.data, end); });
    });
  });
}

void TeamSort::findCursors() {
  forScalars(b, team, constantIndex(b, 0), constantIndex(b, experts), [&](Value expert) {
    Value next = arith::AddIOp::create(b, memref::LoadOp::create(b, starts, expert),
                                       memref::LoadOp::create(b, before, expert));
    for (int64_t i = 0; i < subgroups; ++i) {
      SmallVector<Value> at = {constantIndex(b, i), expert};
      Value pairs = memref::LoadOp::create(b, cursors, at);
      memref::StoreOp::create(b, next, cursors, at);
      next = arith::AddIOp::create(b, next, pairs);
    }
  });
}

std::pair<Value, Value> TeamSort::rank(Value expert) {
  Value earlier = number(0), all = number(0);
  Value thread = arith::IndexCastOp::create(b, b.getI32Type(), lane);
  for (int64_t other = 0; other < team.subgroup; ++other) {
    Value same = arith::CmpIOp::create(b, CmpIPredicate::eq,
                                       readThread(b, team, expert, number(other)), expert);
    Value isEarlier = arith::CmpIOp::create(b, CmpIPredicate::ult, number(other), thread);
    auto add = [&](Value sum, Value is) -> Value {
      return arith::AddIOp::create(b, sum,
                                   arith::ExtUIOp::create(b, b.getI32Type(), is).getResult());
    };
    all = add(all, same);
    earlier = add(earlier, arith::AndIOp::create(b, same, isEarlier));
  }
  return {earlier, all};
}

void TeamSort::place() {
  Team part(team.lanes); // the subgroup, for its barrier
  part.threads = part.subgroup = team.subgroup;
  part.thread = lane;
  forRun([&](Value pair, Value expert, Value isPair) {
    auto [earlier, all] = rank(expert);
    Value zero = constantIndex(b, 0);
    Value index = arith::IndexCastOp::create(b, b.getIndexType(), expert);
    SmallVector<Value> cursor = {subgroup, arith::SelectOp::create(b, isPair, index, zero)};
    Value next = memref::LoadOp::create(b, cursors, cursor);
    Value slot = arith::AddIOp::create(b, next, earlier);
    barrier(b, part); // all have read it
    Value isFirst = arith::CmpIOp::create(b, CmpIPredicate::eq, earlier, number(0));
    ifThen(b, arith::AndIOp::create(b, isPair, isFirst), [&] {
      memref::StoreOp::create(b, arith::AddIOp::create(b, next, all), cursors, cursor);
    });
    ifThen(b, isPair, [&] {
      if (slots)
        memref::StoreOp::create(b, slot, slots.data, locate(pair));
      if (!rows)
        return;
      Value number = arith::AddIOp::create(b, mulIndex(b, firstToken, topK), pair);
      Value wide = arith::IndexCastOp::create(b, b.getIndexType(), slot);
      memref::StoreOp::create(b, arith::IndexCastOp::create(b, b.getI32Type(), number), rows.data,
                              wide);
    });
    barrier(b, part); // the next step reads the cursors
  });
}
