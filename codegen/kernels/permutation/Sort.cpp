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
      experts(moe::getShape(permute.getOffsets().getType())[0] - 1),
      cursors(tile.allocate({experts}, tile.b.getI32Type())) {}

Value Sort::number(int64_t value) { return arith::ConstantIntOp::create(tile->b, value, 32); }

void Sort::forPairs(llvm::function_ref<void(Value, Value, Value)> body) {
  auto &b = tile->b;
  Value zero = constantIndex(b, 0);
  forRange(b, zero, ids.rows, 1, [&](Value token) {
    forRange(b, zero, constantIndex(b, topK), 1,
             [&](Value choice) { body(token, choice, loadIndex(b, ids.data, {token, choice})); });
  });
}

Value Sort::advance(Value expert) {
  auto &b = tile->b;
  Value cursor = memref::LoadOp::create(b, cursors, expert);
  memref::StoreOp::create(b, arith::AddIOp::create(b, cursor, number(1)), cursors, expert);
  return cursor;
}

void Sort::storeOffsets() {
  auto &b = tile->b;
  Value zero = constantIndex(b, 0), end = constantIndex(b, experts);
  auto step = [&](Value expert, ValueRange carried) -> SmallVector<Value> {
    Value count = memref::LoadOp::create(b, cursors, expert);
    memref::StoreOp::create(b, carried[0], cursors, expert);
    if (offsets)
      memref::StoreOp::create(b, carried[0], offsets.data, expert);
    return {arith::AddIOp::create(b, carried[0], count)};
  };
  Value total = forRange(b, zero, end, 1, number(0), step)[0];
  if (offsets)
    memref::StoreOp::create(b, total, offsets.data, end);
}

void Sort::emit() {
  auto &b = tile->b;
  forRange(b, constantIndex(b, 0), constantIndex(b, experts), 1,
           [&](Value expert) { memref::StoreOp::create(b, number(0), cursors, expert); });
  forPairs([&](Value, Value, Value expert) { advance(expert); });
  storeOffsets();
  forPairs([&](Value token, Value choice, Value expert) {
    Value slot = advance(expert);
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
