// The transposed product: rows of a weight, weighted and summed.
#include "codegen/kernels/head_matmul/RowSumTile.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

Candidate RowSumTile::getCandidate(kern::KernelOp kernel, const Machine &machine) {
  int64_t lanes = machine.floatLanes();
  // `chunks` pairs of vectors for each of `token_group` tokens are sums in registers.
  int64_t chunks = machine.vectorRegisters >= 32 ? 4 : 2;
  int64_t columns = getBlockMultiple(kernel);
  while (columns < 128)
    columns *= 2;
  return {makeSchedule(kernel.getContext(), {{"vector", lanes},
                                             {"columns", columns},
                                             {"tokens", 64},
                                             {"token_group", 2},
                                             {"chunks", chunks}}),
          1};
}

RowSumTile::RowSumTile(TileFunction &tile, OperandReader x, OperandReader weight, int64_t depth)
    : tile(tile), x(x), weight(weight), depth(depth), lanes(tile.getScheduleSize("vector")),
      columns(tile.getScheduleSize("columns")), group(tile.getScheduleSize("token_group")),
      chunks(tile.getScheduleSize("chunks")) {
  Type f32 = tile.b.getF32Type();
  sums = tile.allocate({tile.getScheduleSize("tokens") + group, columns}, f32);
  panel = tile.allocate({depth, columns}, f32);
}

void RowSumTile::emit(const Range &range, const ColumnBlock &block) {
  block.forWidth(tile.b, columns, [&](int64_t count) { emit(range, count); });
}

void RowSumTile::emit(const Range &range, int64_t count) {
  auto &b = tile.b;
  Value single =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, range.numTokens, constantIndex(b, 1));
  auto branch = scf::IfOp::create(b, single, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  emitStream(range, count);
  b.setInsertionPointToStart(branch.elseBlock());
  emitPanel(range, count);
}

/// Sums of chunks of columns, two vectors each, back in order.
void RowSumTile::storeSums(Value token, Value column, ValueRange totals) {
  auto &b = tile.b;
  for (size_t v = 0; v < totals.size(); v += 2) {
    Chunk sum = reorder(b, {totals[v], totals[v + 1]}, weight.getOrder(), ChunkOrder::Halves);
    storeFloats(b, sum.first, sums, {token, addIndex(b, column, v * lanes)});
    storeFloats(b, sum.second, sums, {token, addIndex(b, column, (v + 1) * lanes)});
  }
}

//===----------------------------------------------------------------------===//
// One token
//===----------------------------------------------------------------------===//

void RowSumTile::emitStream(const Range &range, int64_t count) {
  auto &b = tile.b;
  int64_t size = chunks * weight.getStep();
  auto block = [&](Value offset, int64_t length, Value index, ValueRange) {
    int64_t whole = length / size * size;
    if (whole)
      forRange(b, constantIndex(b, 0), constantIndex(b, whole), size, [&](Value column) {
        emitStreamTile(range, addIndex(b, offset, column), index, size);
      });
    if (length > whole)
      emitStreamTile(range, addIndex(b, offset, whole), index, length - whole);
    return OperandReader::Carry();
  };
  weight.forBlocks(range.column, count, {}, block);
}

/// `count` columns from `offset` on, which lie in the weight's column block `block`.
void RowSumTile::emitStreamTile(const Range &range, Value offset, Value block, int64_t count) {
  auto &b = tile.b;
  int64_t step = weight.getStep(), numChunks = llvm::divideCeil(count, step);
  Value first = addIndex(b, range.column, offset);
  auto row = [&](Value i, ValueRange carried) {
    SmallVector<Value> next(carried);
    Value weightRow = addIndex(b, range.weightRow, i);
    Value activation = x.loadElement(range.token, addIndex(b, range.xColumn, i));
    if (weight.isQuantized())
      activation = arith::MulFOp::create(b, activation, weight.loadScale(weightRow, block));
    activation = splat(b, activation, lanes);
    for (int64_t c = 0; c < numChunks; ++c) {
      Value stored = weight.loadStored(weightRow, addIndex(b, first, c * step),
                                       std::min(step, count - c * step));
      Chunk values = weight.unpack(stored, /*exactNan=*/true);
      next[2 * c] = math::FmaOp::create(b, values.first, activation, next[2 * c]);
      next[2 * c + 1] = math::FmaOp::create(b, values.second, activation, next[2 * c + 1]);
    }
    return next;
  };
  SmallVector<Value> init(2 * numChunks, constantFloat(b, 0, lanes));
  Value zero = constantIndex(b, 0);
  storeSums(zero, offset, forRange(b, zero, constantIndex(b, depth), 1, init, row));
}

//===----------------------------------------------------------------------===//
// Several tokens
//===----------------------------------------------------------------------===//

void RowSumTile::emitPanel(const Range &range, int64_t count) {
  auto &b = tile.b;
  Value zero = constantIndex(b, 0);
  forRange(b, zero, constantIndex(b, depth), 1, [&](Value i) {
    stageRow(tile, weight, addIndex(b, range.weightRow, i), range.column, count, weight.getOrder(),
             panel, i);
  });
  int64_t step = weight.getStep(), all = llvm::divideCeil(count, step);
  int64_t whole = all / chunks * chunks;
  forRange(b, zero, range.numTokens, group, [&](Value token) {
    if (whole)
      forRange(b, zero, constantIndex(b, whole * step), chunks * step,
               [&](Value chunk) { emitRegisterTile(range, token, chunk, chunks); });
    if (all > whole)
      emitRegisterTile(range, token, constantIndex(b, whole * step), all - whole);
  });
}

/// `numChunks` chunks of columns from `chunk` on, for a group of tokens from `token` on; the last
/// token stands in for those behind it.
void RowSumTile::emitRegisterTile(const Range &range, Value token, Value chunk, int64_t numChunks) {
  auto &b = tile.b;
  int64_t vectors = 2 * numChunks;
  Value last = addIndex(b, range.numTokens, -1);
  SmallVector<Value> rows, init(group * vectors, constantFloat(b, 0, lanes));
  for (int64_t t = 0; t < group; ++t) {
    Value local = arith::MinUIOp::create(b, addIndex(b, token, t), last);
    rows.push_back(addIndex(b, range.token, local));
  }
  auto step = [&](Value i, ValueRange carried) {
    SmallVector<Value> next(carried), activations;
    for (Value row : rows)
      activations.push_back(splat(b, x.loadElement(row, addIndex(b, range.xColumn, i)), lanes));
    for (int64_t v = 0; v < vectors; ++v) {
      Value weights = vector::LoadOp::create(b, floatVector(b, lanes), panel,
                                             ValueRange{i, addIndex(b, chunk, v * lanes)});
      for (int64_t t = 0; t < group; ++t)
        next[t * vectors + v] =
            math::FmaOp::create(b, weights, activations[t], next[t * vectors + v]);
    }
    return next;
  };
  auto totals = forRange(b, constantIndex(b, 0), constantIndex(b, depth), 1, init, step);
  for (int64_t t = 0; t < group; ++t)
    storeSums(addIndex(b, token, t), chunk, ArrayRef(totals).slice(t * vectors, vectors));
}
