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
  if (!block.isLast) {
    emitColumns(range, columns);
    return;
  }
  auto &b = tile.b;
  auto branch = scf::IfOp::create(b, block.isLast, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  emitColumns(range, block.lastCount);
  b.setInsertionPointToStart(branch.elseBlock());
  emitColumns(range, columns);
}

void RowSumTile::emitColumns(const Range &range, int64_t count) {
  auto &b = tile.b;
  Value zero = constantIndex(b, 0);
  forRange(b, zero, constantIndex(b, depth), 1, [&](Value i) {
    stageRow(tile, weight, addIndex(b, range.weightRow, i), range.column, count, weight.getOrder(),
             panel, i);
  });
  int64_t step = weight.getStep(), all = llvm::divideCeil(count, step);
  int64_t whole = all / chunks * chunks;
  auto tiles = [&](Value token, int64_t tokens) {
    if (whole)
      forRange(b, zero, constantIndex(b, whole * step), chunks * step,
               [&](Value chunk) { emitRegisterTile(range, token, tokens, chunk, chunks); });
    if (all > whole)
      emitRegisterTile(range, token, tokens, constantIndex(b, whole * step), all - whole);
  };
  Value single =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, range.numTokens, constantIndex(b, 1));
  auto branch = scf::IfOp::create(b, single, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  tiles(zero, 1);
  b.setInsertionPointToStart(branch.elseBlock());
  forRange(b, zero, range.numTokens, group, [&](Value token) { tiles(token, group); });
}

/// `numChunks` chunks of columns from `chunk` on, for `tokens` tokens from `token` on; the last
/// token stands in for those behind it.
void RowSumTile::emitRegisterTile(const Range &range, Value token, int64_t tokens, Value chunk,
                                  int64_t numChunks) {
  auto &b = tile.b;
  int64_t vectors = 2 * numChunks;
  Value last = addIndex(b, range.numTokens, -1);
  SmallVector<Value> rows, init(tokens * vectors, constantFloat(b, 0, lanes));
  for (int64_t t = 0; t < tokens; ++t) {
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
      for (int64_t t = 0; t < tokens; ++t)
        next[t * vectors + v] =
            math::FmaOp::create(b, weights, activations[t], next[t * vectors + v]);
    }
    return next;
  };
  auto totals = forRange(b, constantIndex(b, 0), constantIndex(b, depth), 1, init, step);
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t v = 0; v < vectors; v += 2) {
      Chunk sum{totals[t * vectors + v], totals[t * vectors + v + 1]};
      sum = reorder(b, sum, weight.getOrder(), ChunkOrder::Halves);
      auto store = [&](Value part, int64_t at) {
        vector::StoreOp::create(b, part, sums,
                                ValueRange{addIndex(b, token, t), addIndex(b, chunk, at)});
      };
      store(sum.first, v * lanes);
      store(sum.second, (v + 1) * lanes);
    }
}
