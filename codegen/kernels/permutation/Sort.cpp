#include "codegen/kernels/permutation/Sort.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

/// The buffer of an argument or a result; null when the kernel has neither.
static Buffer getBuffer(TileFunction &tile, Value value) {
  if (Buffer argument = tile.getArgument(value))
    return argument;
  auto results = tile.getResultsOf(value);
  return results.empty() ? Buffer{} : tile.getResult(results.front());
}

Sort::Sort(TileFunction &tile, moe::PermuteOp permute)
    : tile(&tile), ids(getBuffer(tile, permute.getIds())), rows(getBuffer(tile, permute.getRows())),
      slots(getBuffer(tile, permute.getSlots())), offsets(getBuffer(tile, permute.getOffsets())),
      topK(moe::getShape(permute.getIds().getType())[1]),
      experts(moe::getShape(permute.getOffsets().getType())[0] - 1), team(tile.getTeam()),
      cursors(team.isOne() ? tile.allocate({experts}, tile.b.getI32Type())
                           : tile.allocate({team.threads, experts}, tile.b.getI32Type())),
      starts(team.isOne() ? Value() : tile.allocate({experts}, tile.b.getI32Type())) {}

int64_t Sort::chooseThreads(int64_t experts, const Machine &machine) {
  int64_t threads = machine.threads;
  while (threads > machine.subgroup && (threads + 1) * experts * 4 > machine.workspaceBytes / 2)
    threads /= 2;
  return threads;
}

Value Sort::number(int64_t value) { return arith::ConstantIntOp::create(tile->b, value, 32); }

void Sort::forPairs(llvm::function_ref<void(Value, Value, Value)> body) {
  auto &b = tile->b;
  Value zero = constantIndex(b, 0), begin = zero, end = ids.rows;
  if (!team.isOne()) {
    auto share = [&](Value thread) -> Value {
      return arith::DivUIOp::create(b, arith::MulIOp::create(b, thread, ids.rows),
                                    constantIndex(b, team.threads));
    };
    begin = share(team.thread);
    end = share(addIndex(b, team.thread, 1));
  }
  forRange(b, begin, end, 1, [&](Value token) {
    forRange(b, zero, constantIndex(b, topK), 1,
             [&](Value choice) { body(token, choice, loadIndex(b, ids.data, {token, choice})); });
  });
}

SmallVector<Value, 2> Sort::at(Value expert) {
  if (team.isOne())
    return {expert};
  return {team.thread, expert};
}

Value Sort::advance(Value expert) {
  auto &b = tile->b;
  Value cursor = memref::LoadOp::create(b, cursors, at(expert));
  memref::StoreOp::create(b, arith::AddIOp::create(b, cursor, number(1)), cursors, at(expert));
  return cursor;
}

Value Sort::addThreads(Value expert) {
  auto &b = tile->b;
  auto step = [&](Value thread, ValueRange carried) -> SmallVector<Value> {
    Value count = memref::LoadOp::create(b, cursors, ValueRange{thread, expert});
    memref::StoreOp::create(b, carried[0], cursors, ValueRange{thread, expert});
    return {arith::AddIOp::create(b, carried[0], count)};
  };
  return forRange(b, constantIndex(b, 0), constantIndex(b, team.threads), 1, number(0), step)[0];
}

void Sort::storeOffsets() {
  auto &b = tile->b;
  Value zero = constantIndex(b, 0), end = constantIndex(b, experts);
  Value counts = team.isOne() ? cursors : starts;
  if (!team.isOne()) {
    barrier(b, team);
    forScalars(b, team, zero, end, [&](Value expert) {
      memref::StoreOp::create(b, addThreads(expert), starts, expert);
    });
    barrier(b, team);
  }
  auto step = [&](Value expert, ValueRange carried) -> SmallVector<Value> {
    Value count = memref::LoadOp::create(b, counts, expert);
    memref::StoreOp::create(b, carried[0], counts, expert);
    if (offsets)
      memref::StoreOp::create(b, carried[0], offsets.data, expert);
    return {arith::AddIOp::create(b, carried[0], count)};
  };
  runOnce(b, team, [&] {
    Value total = forRange(b, zero, end, 1, number(0), step)[0];
    if (offsets)
      memref::StoreOp::create(b, total, offsets.data, end);
  });
  barrier(b, team);
}

void Sort::emit() {
  auto &b = tile->b;
  forRange(b, constantIndex(b, 0), constantIndex(b, experts), 1,
           [&](Value expert) { memref::StoreOp::create(b, number(0), cursors, at(expert)); });
  forPairs([&](Value, Value, Value expert) { advance(expert); });
  storeOffsets();
  forPairs([&](Value token, Value choice, Value expert) {
    Value slot = advance(expert);
    if (!team.isOne())
      slot = arith::AddIOp::create(b, slot, memref::LoadOp::create(b, starts, expert));
    if (slots)
      memref::StoreOp::create(b, slot, slots.data, {token, choice});
    if (!rows)
      return;
    Value pair = addIndex(b, mulIndex(b, token, topK), choice);
    Value wide = arith::IndexCastOp::create(b, b.getIndexType(), slot);
    memref::StoreOp::create(b, arith::IndexCastOp::create(b, b.getI32Type(), pair), rows.data,
                            wide);
  });
}
