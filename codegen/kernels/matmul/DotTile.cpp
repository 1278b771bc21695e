// The two inner loops of the host's matrix kernels.
#include "codegen/kernels/matmul/DotTile.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/matmul/SumLanes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;
using Carry = OperandReader::Carry;

DotSizes DotSizes::get(const TileFunction &tile) {
  auto size = [&](StringRef name) { return tile.getScheduleSize(name); };
  return {size("vector"), size("columns"),     size("tokens"),
          size("rows"),   size("token_group"), size("depth")};
}

static Value fma(ImplicitLocOpBuilder &b, Value x, Value y, Value z) {
  return math::FmaOp::create(b, x, y, z);
}

/// A row of f32 in the workspace begins off the 4 KiB that the cache folds addresses by.
static int64_t padRow(int64_t length) { return llvm::alignTo(length, 16) + 16; }

DotTile::DotTile(TileFunction &tile, OperandReader x, OperandReader weight, DotSizes sizes,
                 int64_t sumsColumns)
    : tile(tile), x(x), weight(weight), sizes(sizes) {
  int64_t columns = llvm::alignTo(weight.getColumns(), weight.getStep());
  int64_t depth = std::min(columns, sizes.depth);
  Type f32 = tile.b.getF32Type();
  sums = tile.allocate({sizes.tokens + sizes.tokenGroup, sumsColumns ? sumsColumns : sizes.columns},
                       f32);
  streamed = tile.allocate({1, columns}, f32);
  if (sizes.tokens == 1)
    return;
  staged = tile.allocate({sizes.tokenGroup, padRow(depth)}, f32);
  panel = tile.allocate({sizes.columns, padRow(depth)}, f32);
}

static Value shift(ImplicitLocOpBuilder &b, Value index, Value by) {
  return by ? addIndex(b, index, by) : index;
}

void DotTile::emit(const Range &range) {
  auto &b = tile.b;
  OperandReader selected = range.expert ? weight.select(range.expert) : weight;
  if (sizes.tokens == 1)
    return emitStream(range, selected);
  Value single =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, range.numTokens, constantIndex(b, 1));
  auto branch = scf::IfOp::create(b, single, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  emitStream(range, selected);
  b.setInsertionPointToStart(branch.elseBlock());
  emitBlocked(range, selected);
}

//===----------------------------------------------------------------------===//
// One token
//===----------------------------------------------------------------------===//

// Carried by the loops, for `rows` rows of a weight in flight:
//   quantized: each row's total, then each row's NaN tracker (of bytes);
//   else:      two partial sums a row, so that enough additions are independent.

Carry DotTile::streamBlock(const OperandReader &weight, ValueRange rowIndices, Value blockOffset,
                           int64_t length, ValueRange carried) {
  auto &b = tile.b;
  bool quantized = weight.isQuantized();
  return weight.forChunks(length, carried, [&](Value offset, int64_t count, ValueRange carried) {
    Value column = addIndex(b, blockOffset, offset);
    auto load = [&](int64_t shift) -> Value {
      return vector::LoadOp::create(b, floatVector(b, sizes.lanes), streamed,
                                    ValueRange{constantIndex(b, 0), addIndex(b, column, shift)});
    };
    Value first = load(0), second = load(sizes.lanes);
    Carry next(carried);
    for (auto [r, row] : llvm::enumerate(rowIndices)) {
      Value stored = weight.loadStored(row, column, count);
      Chunk values = weight.unpack(stored, /*exactNan=*/false);
      if (quantized) {
        next[r] = fma(b, values.second, second, fma(b, values.first, first, next[r]));
        Value &tracker = next[sizes.rows + r];
        tracker = weight.trackNan(tracker, stored);
      } else {
        next[2 * r] = fma(b, values.first, first, next[2 * r]);
        next[2 * r + 1] = fma(b, values.second, second, next[2 * r + 1]);
      }
    }
    return next;
  });
}

Carry DotTile::streamScaledBlock(const OperandReader &weight, ValueRange rowIndices, bool aligned,
                                 Value blockOffset, int64_t length, Value block,
                                 ValueRange carried) {
  auto &b = tile.b;
  Carry inner(sizes.rows, constantFloat(b, 0, sizes.lanes));
  llvm::append_range(inner, carried.drop_front(sizes.rows));
  inner = streamBlock(weight, rowIndices, blockOffset, length, inner);
  Value scale;
  for (int64_t r = 0; r < sizes.rows; ++r) {
    if (!aligned || r == 0)
      scale = splat(b, weight.loadScale(rowIndices[r], block), sizes.lanes);
    inner[r] = fma(b, inner[r], scale, carried[r]);
  }
  return inner;
}

void DotTile::emitStream(const Range &range, const OperandReader &weight) {
  auto &b = tile.b;
  int64_t depth = weight.getColumns(), rows = sizes.rows;
  Value zero = constantIndex(b, 0);
  stageRow(tile, x, range.source(zero), range.xColumn, depth, weight.getOrder(), streamed, zero);
  Value lastRow = addIndex(b, addIndex(b, range.weightRow, range.numRows), -1);

  forRange(b, zero, range.numRows, rows, [&](Value group) {
    // Rows beyond the last are computed as the last once more.
    Carry rowIndices;
    for (int64_t r = 0; r < rows; ++r) {
      Value row = addIndex(b, addIndex(b, range.weightRow, group), r);
      rowIndices.push_back(r ? arith::MinUIOp::create(b, row, lastRow).getResult() : row);
    }
    bool quantized = weight.isQuantized();
    Carry init((quantized ? 1 : 2) * rows, constantFloat(b, 0, sizes.lanes));
    if (quantized)
      init.append(rows, weight.startNan());
    Carry last = weight.forBlocks(
        zero, depth, init, [&](Value offset, int64_t length, Value block, ValueRange carried) {
          if (!quantized)
            return streamBlock(weight, rowIndices, offset, length, carried);
          return streamScaledBlock(weight, rowIndices, range.aligned, offset, length, block,
                                   carried);
        });
    Carry totals;
    for (int64_t r = 0; r < rows; ++r)
      totals.push_back(quantized ? last[r]
                                 : arith::AddFOp::create(b, last[2 * r], last[2 * r + 1]));
    Value result = sumLanes(b, totals);
    for (int64_t r = 0; quantized && r < rows; ++r) {
      Value sum = vector::ExtractOp::create(b, result, r);
      result = vector::InsertOp::create(b, weight.applyNan(last[rows + r], sum), result, r);
    }
    vector::StoreOp::create(b, result, sums, ValueRange{zero, shift(b, group, range.sumsColumn)});
  });
}

//===----------------------------------------------------------------------===//
// Several tokens
//===----------------------------------------------------------------------===//

void DotTile::emitBlocked(const Range &range, const OperandReader &weight) {
  auto &b = tile.b;
  Value zero = constantIndex(b, 0);
  forRange(b, zero, range.numTokens, 1, [&](Value token) {
    forColumns(b, sizes.columns, sizes.lanes, [&](Value column, int64_t width) {
      vector::StoreOp::create(b, constantFloat(b, 0, width), sums,
                              ValueRange{token, shift(b, column, range.sumsColumn)});
    });
  });
  int64_t columns = weight.getColumns(), whole = columns / sizes.depth * sizes.depth;
  if (whole)
    forRange(b, zero, constantIndex(b, whole), sizes.depth,
             [&](Value column) { emitPanel(range, weight, column, sizes.depth); });
  if (columns > whole)
    emitPanel(range, weight, constantIndex(b, whole), columns - whole);
}

void DotTile::emitPanel(const Range &range, const OperandReader &weight, Value column,
                        int64_t length) {
  auto &b = tile.b;
  Value zero = constantIndex(b, 0);
  forRange(b, zero, range.numRows, 1, [&](Value row) {
    stageRow(tile, weight, addIndex(b, range.weightRow, row), column, length, weight.getOrder(),
             panel, row);
  });
  int64_t group = sizes.tokenGroup, padded = llvm::alignTo(length, weight.getStep());
  forRange(b, zero, range.numTokens, group, [&](Value token) {
    // What lies behind the last token in `staged` is stale; so are the sums that come of it.
    Value left = arith::SubIOp::create(b, range.numTokens, token);
    Value count = arith::MinUIOp::create(b, left, constantIndex(b, group));
    forRange(b, zero, count, 1, [&](Value i) {
      stageRow(tile, x, range.source(addIndex(b, token, i)), addIndex(b, range.xColumn, column),
               length, weight.getOrder(), staged, i);
    });
    auto tiles = [&](int64_t tokens) {
      forRange(b, zero, range.numRows, sizes.rows, [&](Value row) {
        emitRegisterTile(row, shift(b, row, range.sumsColumn), token, tokens, padded);
      });
    };
    Value few =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ule, count, constantIndex(b, group / 2));
    auto branch = scf::IfOp::create(b, few, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    tiles(group / 2);
    b.setInsertionPointToStart(branch.elseBlock());
    tiles(group);
  });
}

void DotTile::emitRegisterTile(Value row, Value sumsColumn, Value token, int64_t tokens,
                               int64_t length) {
  auto &b = tile.b;
  int64_t rows = sizes.rows;
  VectorType floats = floatVector(b, sizes.lanes);
  Carry init(rows * tokens, constantFloat(b, 0, sizes.lanes));
  auto step = [&](Value k, ValueRange carried) {
    Carry next(carried), activations;
    for (int64_t t = 0; t < tokens; ++t)
      activations.push_back(
          vector::LoadOp::create(b, floats, staged, ValueRange{constantIndex(b, t), k}));
    for (int64_t r = 0; r < rows; ++r) {
      Value weights = vector::LoadOp::create(b, floats, panel, ValueRange{addIndex(b, row, r), k});
      for (int64_t t = 0; t < tokens; ++t) {
        Value &sum = next[t * rows + r];
        sum = fma(b, weights, activations[t], sum);
      }
    }
    return next;
  };
  Carry last = forRange(b, constantIndex(b, 0), constantIndex(b, length), sizes.lanes, init, step);
  Value all = sumLanes(b, last);
  VectorType few = floatVector(b, rows);
  for (int64_t t = 0; t < tokens; ++t) {
    SmallVector<Value> indices = {addIndex(b, token, t), sumsColumn};
    Value part = vector::ExtractStridedSliceOp::create(
        b, all, ArrayRef<int64_t>{t * rows}, ArrayRef<int64_t>{rows}, ArrayRef<int64_t>{1});
    Value before = vector::LoadOp::create(b, few, sums, indices);
    vector::StoreOp::create(b, arith::AddFOp::create(b, before, part), sums, indices);
  }
}
