#include "codegen/kernels/team_matmul/FragmentDot.h"

#include "codegen/kernels/LoopAnnotation.h"
#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

static constexpr int64_t kSlice = StagedOperand::kSlice, kDepth = MatrixFragments::kDepth;

FragmentDot::FragmentDot(TileFunction &tile, Operand x, Operand weight, const Shape &shape)
    : tile(tile), b(tile.b), fragments(*tile.machine.fragments), shape(shape),
      x(tile, x, shape.tokens, fragments.rowPadding),
      weight(tile, weight, shape.columns, fragments.rowPadding, shape.isTransposed),
      sums(tile.allocate({shape.tokens, shape.parts * shape.columns}, tile.b.getF32Type())) {
  const Team &team = tile.getTeam();
  Value size = constantIndex(b, team.subgroup), across = constantIndex(b, shape.columns / kPart);
  Value subgroup = arith::DivUIOp::create(b, team.thread, size);
  Value rowPart = mulIndex(b, arith::DivUIOp::create(b, subgroup, across), kPart);
  Value columnPart = mulIndex(b, arith::RemUIOp::create(b, subgroup, across), kPart);
  Value zero = constantIndex(b, 0);
  originA = getOrigin(fragments.a, rowPart, zero);
  originB = getOrigin(fragments.b, columnPart, zero);
  originC = getOrigin(fragments.c, rowPart, columnPart);
}

FragmentDot::Origin FragmentDot::getOrigin(const LaneMap &map, Value rowPart, Value columnPart) {
  const Team &team = tile.getTeam();
  Value lane = arith::RemUIOp::create(b, team.thread, constantIndex(b, team.subgroup));
  return {addIndex(b, rowPart, map.row.emit(b, lane)),
          addIndex(b, columnPart, map.column.emit(b, lane))};
}

VectorType FragmentDot::getSumType() { return floatVector(b, fragments.c.items.size()); }

SmallVector<Value> FragmentDot::readRuns(const StagedOperand &from, const LaneMap &map,
                                         const Origin &origin, int64_t row, int64_t depth) {
  SmallVector<Value> runs;
  for (auto [itemRow, itemDepth] : map.items)
    runs.push_back(from.read(addIndex(b, origin.row, row + itemRow),
                             addIndex(b, origin.column, depth + itemDepth)));
  return runs;
}

/// total + sum * the scales of the slice, for the fragment at (row, column) of the part.
Value FragmentDot::promote(Value sum, Value total, int64_t row, int64_t column) {
  SmallVector<Value> factors;
  for (auto [itemRow, itemColumn] : fragments.c.items) {
    Value xScale, weightScale;
    if (x.isScaled())
      xScale = x.readScale(addIndex(b, originC.row, row + itemRow));
    if (weight.isScaled())
      weightScale = weight.readScale(addIndex(b, originC.column, column + itemColumn));
    factors.push_back(multiplyScales(b, xScale, weightScale));
  }
  Value factor = vector::FromElementsOp::create(b, getSumType(), factors);
  return math::FmaOp::create(b, sum, factor, total);
}

/// Adds the product of the slice in shared memory.
SmallVector<Value> FragmentDot::multiply(ValueRange totals) {
  bool isScaled = x.isScaled() || weight.isScaled();
  SmallVector<Value> now(totals);
  if (isScaled)
    now.assign(totals.size(), constantFloat(b, 0, fragments.c.items.size()));
  int64_t across = kPart / fragments.columns;
  for (int64_t depth = 0; depth < kSlice; depth += kDepth) {
    SmallVector<SmallVector<Value>> rhs;
    for (int64_t column = 0; column < kPart; column += fragments.columns)
      rhs.push_back(readRuns(weight, fragments.b, originB, column, depth));
    for (int64_t row = 0; row < kPart; row += fragments.rows) {
      SmallVector<Value> lhs = readRuns(x, fragments.a, originA, row, depth);
      for (auto [j, runs] : llvm::enumerate(rhs)) {
        Value &sum = now[row / fragments.rows * across + j];
        sum = fragments.multiply(b, lhs, runs, sum);
      }
    }
  }
  if (isScaled)
    for (auto [i, sum] : llvm::enumerate(now))
      sum = promote(sum, totals[i], int64_t(i) / across * fragments.rows,
                    int64_t(i) % across * fragments.columns);
  return now;
}

void FragmentDot::storeTotals(ValueRange totals, int64_t sumsColumn) {
  int64_t across = kPart / fragments.columns;
  for (auto [i, total] : llvm::enumerate(totals)) {
    int64_t row = int64_t(i) / across * fragments.rows;
    int64_t column = int64_t(i) % across * fragments.columns + sumsColumn;
    for (auto [item, place] : llvm::enumerate(fragments.c.items))
      storeFloat(b, vector::ExtractOp::create(b, total, item), sums,
                 {addIndex(b, originC.row, row + place[0]),
                  addIndex(b, originC.column, column + place[1])});
  }
}

void FragmentDot::emit(const TeamDot::Range &range) {
  auto weightSource = [&](Value row) { return TeamDot::getWeightRow(b, range, row); };
  StagedOperand::Place xPlace = x.getPlace({.numRows = range.numTokens,
                                            .source = range.source,
                                            .firstRow = {},
                                            .firstColumn = range.xColumn,
                                            .expert = {}});
  StagedOperand::Place weightPlace =
      weight.getPlace({.numRows = range.numRows,
                       .source = weightSource,
                       .firstRow = range.weightRow,
                       .firstColumn = shape.isTransposed ? range.weightColumn : constantIndex(b, 0),
                       .expert = range.expert});
  size_t numX = 0;
  auto load = [&](Value first, int64_t valid) {
    SmallVector<Value> share = x.load(xPlace, first, valid);
    numX = share.size();
    share.append(weight.load(weightPlace, first, valid));
    return share;
  };
  auto pass = [&](ValueRange share) {
    barrier(b, tile.getTeam()); // the slice before has been read
    x.store(share.take_front(numX));
    weight.store(share.drop_front(numX));
    barrier(b, tile.getTeam());
  };

  int64_t count = (kPart / fragments.rows) * (kPart / fragments.columns);
  SmallVector<Value> totals(count, constantFloat(b, 0, fragments.c.items.size()));
  int64_t whole = shape.depth / kSlice * kSlice;
  if (whole) {
    Value zero = constantIndex(b, 0), last = constantIndex(b, whole - kSlice);
    SmallVector<Value> carried = totals;
    carried.append(load(zero, kSlice));
    carried = forRange(b, zero, constantIndex(b, whole), kSlice, carried,
                       [&](Value first, ValueRange now) {
                         pass(now.drop_front(count));
                         // Behind the last slice it is read once more, for nothing.
                         Value next = arith::MinUIOp::create(b, addIndex(b, first, kSlice), last);
                         SmallVector<Value> share = load(next, kSlice);
                         SmallVector<Value> result = multiply(now.take_front(count));
                         result.append(share);
                         return result;
                       });
    keepRolled(carried); // ptxas would unroll it beyond the registers of a thread
    totals.assign(carried.begin(), carried.begin() + count);
  }
  if (int64_t rest = shape.depth - whole) {
    pass(load(constantIndex(b, whole), rest));
    totals = multiply(totals);
  }
  storeTotals(totals, range.sumsColumn);
}
