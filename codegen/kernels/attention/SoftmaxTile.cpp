// The online softmax over blocks of keys, and the products around it.
#include "codegen/kernels/attention/SoftmaxTile.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/matmul/SumLanes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec::codegen;

/// Keys of a register tile of scores.
static constexpr int64_t kPositionGroup = 4;
/// Vectors of columns of a register tile of the output.
static constexpr int64_t kColumnVectors = 4;

//===----------------------------------------------------------------------===//
// Rows of the workspace
//===----------------------------------------------------------------------===//

int64_t moec::codegen::padColumns(int64_t columns, int64_t lanes) {
  return llvm::alignTo(columns, lanes) + 16;
}

Value moec::codegen::allocateRows(TileFunction &tile, int64_t columns) {
  int64_t padded = padColumns(columns, tile.getScheduleSize("vector"));
  return tile.allocate({tile.getScheduleSize("positions"), padded}, tile.b.getF32Type());
}

void moec::codegen::copyColumns(ImplicitLocOpBuilder &b, int64_t lanes, Value from, Value fromRow,
                                Value fromColumn, int64_t columns, Value into, Value intoRow,
                                int64_t intoColumn) {
  forColumns(b, columns, lanes, [&](Value column, int64_t width) {
    Value values = loadFloats(b, from, {fromRow, addIndex(b, fromColumn, column)}, width);
    storeFloats(b, values, into, {intoRow, addIndex(b, column, intoColumn)});
  });
}

void moec::codegen::zeroTail(ImplicitLocOpBuilder &b, int64_t lanes, Value into, Value row,
                             int64_t column) {
  for (int64_t end = llvm::alignTo(column, lanes); column < end; ++column)
    storeFloat(b, constantFloat(b, 0), into, {row, constantIndex(b, column)});
}

//===----------------------------------------------------------------------===//
// SoftmaxTile
//===----------------------------------------------------------------------===//

SoftmaxTile::SoftmaxTile(TileFunction &tile, const Sizes &sizes) : b(tile.b), sizes(sizes) {
  Type f32 = b.getF32Type();
  queries = tile.allocate({sizes.queries, padColumns(sizes.keyColumns, sizes.lanes)}, f32);
  scores = tile.allocate({sizes.queries, sizes.positions}, f32);
  output = tile.allocate({sizes.queries, padColumns(sizes.valueColumns, sizes.lanes)}, f32);
  maxima = tile.allocate({sizes.queries}, f32);
  sums = tile.allocate({sizes.queries}, f32);
}

void SoftmaxTile::start(Value count) {
  numQueries = count;
  double infinity = std::numeric_limits<double>::infinity();
  forRange(b, constantIndex(b, 0), numQueries, 1, [&](Value query) {
    storeFloat(b, constantFloat(b, -infinity), maxima, query);
    storeFloat(b, constantFloat(b, 0), sums, query);
    forColumns(b, llvm::alignTo(sizes.valueColumns, sizes.lanes), sizes.lanes,
               [&](Value column, int64_t width) {
                 storeFloats(b, constantFloat(b, 0, width), output, {query, column});
               });
  });
}

void SoftmaxTile::update(Value keys, Value values, CountOf countOf) {
  int64_t group = sizes.group, half = group / 2;
  auto groups = [&](Value begin, Value end, int64_t size) {
    forRange(b, begin, end, size,
             [&](Value query) { updateGroup(query, size, keys, values, countOf); });
  };
  Value zero = constantIndex(b, 0);
  if (half < 2)
    return groups(zero, numQueries, group);
  // A last group that is half empty or more is computed as half of one.
  Value whole =
      arith::DivUIOp::create(b, addIndex(b, numQueries, half - 1), constantIndex(b, group));
  Value end = arith::MinUIOp::create(b, mulIndex(b, whole, group), numQueries);
  groups(zero, end, group);
  groups(end, numQueries, half);
}

void SoftmaxTile::updateGroup(Value query, int64_t group, Value keys, Value values,
                              CountOf countOf) {
  Value zero = constantIndex(b, 0), last = addIndex(b, numQueries, -1), most = zero;
  SmallVector<Value> counts;
  for (int64_t g = 0; g < group; ++g) {
    counts.push_back(countOf(arith::MinUIOp::create(b, addIndex(b, query, g), last)));
    most = arith::MaxUIOp::create(b, most, counts.back());
  }
  ifThen(b, arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, most, zero), [&] {
    emitScores(query, group, keys, most);
    SmallVector<Value> shrinks;
    for (int64_t g = 0; g < group; ++g)
      shrinks.push_back(emitWeights(addIndex(b, query, g), counts[g]));
    forColumns(b, llvm::divideCeil(sizes.valueColumns, sizes.lanes), kColumnVectors,
               [&](Value vector, int64_t vectors) {
                 accumulate(query, mulIndex(b, vector, sizes.lanes), vectors, values, shrinks,
                            most);
               });
  });
}

void SoftmaxTile::emitScores(Value query, int64_t group, Value keys, Value count) {
  VectorType floats = floatVector(b, sizes.lanes);
  int64_t columns = llvm::alignTo(sizes.keyColumns, sizes.lanes);
  // Keys behind the last are stale; emitWeights drops their scores.
  forRange(b, constantIndex(b, 0), count, kPositionGroup, [&](Value position) {
    SmallVector<Value> init(kPositionGroup * group, constantFloat(b, 0, sizes.lanes));
    auto step = [&](Value k, ValueRange carried) {
      SmallVector<Value> next(carried), rows;
      for (int64_t p = 0; p < kPositionGroup; ++p)
        rows.push_back(
            vector::LoadOp::create(b, floats, keys, ValueRange{addIndex(b, position, p), k}));
      for (int64_t g = 0; g < group; ++g) {
        Value left =
            vector::LoadOp::create(b, floats, queries, ValueRange{addIndex(b, query, g), k});
        for (int64_t p = 0; p < kPositionGroup; ++p) {
          Value &sum = next[g * kPositionGroup + p];
          sum = math::FmaOp::create(b, left, rows[p], sum);
        }
      }
      return next;
    };
    auto totals =
        forRange(b, constantIndex(b, 0), constantIndex(b, columns), sizes.lanes, init, step);
    Value all = sumLanes(b, totals);
    for (int64_t g = 0; g < group; ++g) {
      Value part = vector::ExtractStridedSliceOp::create(
          b, all, ArrayRef<int64_t>{g * kPositionGroup}, ArrayRef<int64_t>{kPositionGroup},
          ArrayRef<int64_t>{1});
      vector::StoreOp::create(b, part, scores, ValueRange{addIndex(b, query, g), position});
    }
  });
}

Value SoftmaxTile::emitWeights(Value query, Value count) {
  int64_t positions = sizes.positions;
  Value mask = vector::CreateMaskOp::create(b, VectorType::get({positions}, b.getI1Type()), count);
  Value never = constantFloat(b, -std::numeric_limits<double>::infinity(), positions);
  auto reduce = [&](vector::CombiningKind kind, Value values) -> Value {
    return vector::ReductionOp::create(b, kind, values, arith::FastMathFlags::reassoc);
  };
  SmallVector<Value> place = {query, constantIndex(b, 0)};
  Value score = vector::LoadOp::create(b, floatVector(b, positions), scores, place);
  score = arith::MulFOp::create(b, score, constantFloat(b, sizes.scale, positions));
  score = arith::SelectOp::create(b, mask, score, never);
  Value before = memref::LoadOp::create(b, maxima, query);
  Value maximum =
      arith::MaximumFOp::create(b, before, reduce(vector::CombiningKind::MAXIMUMF, score));
  Value weights =
      math::ExpOp::create(b, arith::SubFOp::create(b, score, splat(b, maximum, positions)));
  Value shrink = math::ExpOp::create(b, arith::SubFOp::create(b, before, maximum));
  Value sum = memref::LoadOp::create(b, sums, query);
  sum = math::FmaOp::create(b, sum, shrink, reduce(vector::CombiningKind::ADD, weights));
  vector::StoreOp::create(b, weights, scores, place);
  memref::StoreOp::create(b, maximum, maxima, query);
  memref::StoreOp::create(b, sum, sums, query);
  return shrink;
}

/// `vectors` vectors of columns from `column` on of a group's output.
void SoftmaxTile::accumulate(Value query, Value column, int64_t vectors, Value values,
                             ValueRange shrinks, Value count) {
  VectorType floats = floatVector(b, sizes.lanes);
  auto place = [&](int64_t g, int64_t v) {
    return SmallVector<Value>{addIndex(b, query, g), addIndex(b, column, v * sizes.lanes)};
  };
  SmallVector<Value> init;
  for (size_t g = 0; g < shrinks.size(); ++g)
    for (int64_t v = 0; v < vectors; ++v) {
      Value before = vector::LoadOp::create(b, floats, output, place(g, v));
      init.push_back(arith::MulFOp::create(b, before, splat(b, shrinks[g], sizes.lanes)));
    }
  auto step = [&](Value i, ValueRange carried) {
    SmallVector<Value> next(carried), rows;
    for (int64_t v = 0; v < vectors; ++v)
      rows.push_back(vector::LoadOp::create(b, floats, values,
                                            ValueRange{i, addIndex(b, column, v * sizes.lanes)}));
    for (size_t g = 0; g < shrinks.size(); ++g) {
      Value weight = memref::LoadOp::create(b, scores, ValueRange{addIndex(b, query, g), i});
      weight = splat(b, weight, sizes.lanes);
      for (int64_t v = 0; v < vectors; ++v) {
        Value &sum = next[g * vectors + v];
        sum = math::FmaOp::create(b, weight, rows[v], sum);
      }
    }
    return next;
  };
  auto totals = forRange(b, constantIndex(b, 0), count, 1, init, step);
  for (size_t g = 0; g < shrinks.size(); ++g)
    for (int64_t v = 0; v < vectors; ++v)
      vector::StoreOp::create(b, totals[g * vectors + v], output, place(g, v));
}

Value SoftmaxTile::load(Value query, Value column, int64_t width) const {
  Value values = loadFloats(b, output, {query, column}, width);
  Value sum = memref::LoadOp::create(b, sums, query);
  return arith::DivFOp::create(b, values, splat(b, sum, width));
}
