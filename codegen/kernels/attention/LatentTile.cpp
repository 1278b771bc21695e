// Online-softmax attention over a paged latent cache.
#include "codegen/kernels/attention/LatentTile.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/matmul/SumLanes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

/// Positions of a register tile of scores.
static constexpr int64_t kPositionGroup = 4;
/// Vectors of columns of a register tile of the output.
static constexpr int64_t kColumnVectors = 4;

LatentTile::LatentTile(TileFunction &tile, moe::LatentAttentionOp op)
    : tile(tile), op(op), b(tile.b) {
  auto cacheType = cast<moe::CacheType>(op.getCache().getType());
  heads = op.getHeads();
  rope = op.getRopeDim();
  latent = cacheType.getWidth() - rope;
  queryColumns = moe::getShape(op.getQ().getType())[1] / heads;
  page = cacheType.getPage();
  lanes = tile.getScheduleSize("vector");
  headBlock = tile.getScheduleSize("heads");
  headGroup = tile.getScheduleSize("head_group");
  positions = tile.getScheduleSize("positions");
  width = llvm::alignTo(cacheType.getWidth(), lanes);
  cache = tile.getArgument(op.getCache());
  blockTable = tile.getArgument(op.getBlockTable());

  // Rows begin off the 4 KiB that the cache folds addresses by.
  Type f32 = b.getF32Type();
  queries = tile.allocate({headBlock, width + 16}, f32);
  rows = tile.allocate({positions, width + 16}, f32);
  scores = tile.allocate({headBlock, positions}, f32);
  output = tile.allocate({headBlock, width + 16}, f32);
  maxima = tile.allocate({headBlock}, f32);
  sums = tile.allocate({headBlock}, f32);
  shrinks = tile.allocate({headBlock}, f32);

  Value blocks = constantIndex(b, llvm::divideCeil(heads, headBlock));
  token = arith::DivUIOp::create(b, tile.getTile(), blocks);
  firstHead = mulIndex(b, arith::RemUIOp::create(b, tile.getTile(), blocks), headBlock);
  sequence = loadIndex(b, tile.getArgument(op.getSequences()).data, {token});
}

void LatentTile::emit() {
  stageQueries();
  start();
  Value last = loadIndex(b, tile.getArgument(op.getPositions()).data, {token});
  Value context = addIndex(b, last, 1);
  forRange(b, constantIndex(b, 0), context, positions, [&](Value position) {
    Value count = arith::MinUIOp::create(b, arith::SubIOp::create(b, context, position),
                                         constantIndex(b, positions));
    fetchRows(position, count);
    emitScores(count);
    emitWeights(count);
    accumulate(count);
  });
  storeResult();
}

void LatentTile::forHeads(int64_t step, llvm::function_ref<void(Value)> body) {
  forRange(b, constantIndex(b, 0), constantIndex(b, headBlock), step, body);
}

void LatentTile::copy(Value from, Value fromRow, Value fromColumn, int64_t columns, Value into,
                      Value intoRow, int64_t intoColumn) {
  forColumns(b, columns, lanes, [&](Value column, int64_t width) {
    Value values = loadFloats(b, from, {fromRow, addIndex(b, fromColumn, column)}, width);
    storeFloats(b, values, into, {intoRow, addIndex(b, column, intoColumn)});
  });
}

void LatentTile::stageQueries() {
  Value latents = tile.getArgument(op.getQLatent()).data, ropes = tile.getArgument(op.getQ()).data;
  // The last head stands in for those behind it.
  Value lastHead = constantIndex(b, heads - 1);
  forHeads(1, [&](Value i) {
    Value head = arith::MinUIOp::create(b, arith::AddIOp::create(b, firstHead, i), lastHead);
    copy(latents, token, mulIndex(b, head, latent), latent, queries, i, 0);
    Value ropeColumn = addIndex(b, mulIndex(b, head, queryColumns), queryColumns - rope);
    copy(ropes, token, ropeColumn, rope, queries, i, latent);
    for (int64_t column = latent + rope; column < width; ++column)
      memref::StoreOp::create(b, constantFloat(b, 0), queries,
                              ValueRange{i, constantIndex(b, column)});
  });
}

void LatentTile::start() {
  double infinity = std::numeric_limits<double>::infinity();
  forHeads(1, [&](Value head) {
    memref::StoreOp::create(b, constantFloat(b, -infinity), maxima, head);
    memref::StoreOp::create(b, constantFloat(b, 0), sums, head);
    forColumns(b, width, lanes, [&](Value column, int64_t lanes) {
      storeFloats(b, constantFloat(b, 0, lanes), output, {head, column});
    });
  });
}

void LatentTile::fetchRows(Value position, Value count) {
  Value pageRows = constantIndex(b, page);
  forRange(b, constantIndex(b, 0), count, 1, [&](Value i) {
    Value row = arith::AddIOp::create(b, position, i);
    Value block = loadIndex(b, blockTable.data,
                            {sequence, arith::DivUIOp::create(b, row, pageRows).getResult()});
    Value slot = arith::AddIOp::create(b, mulIndex(b, block, page),
                                       arith::RemUIOp::create(b, row, pageRows));
    copy(cache.data, slot, constantIndex(b, 0), latent + rope, rows, i, 0);
    for (int64_t column = latent + rope; column < width; ++column)
      memref::StoreOp::create(b, constantFloat(b, 0), rows,
                              ValueRange{i, constantIndex(b, column)});
  });
}

void LatentTile::emitScores(Value count) {
  VectorType floats = floatVector(b, lanes);
  auto tileOfScores = [&](Value position, Value head) {
    SmallVector<Value> init(kPositionGroup * headGroup, constantFloat(b, 0, lanes));
    auto step = [&](Value k, ValueRange carried) {
      SmallVector<Value> next(carried), keys;
      for (int64_t p = 0; p < kPositionGroup; ++p)
        keys.push_back(
            vector::LoadOp::create(b, floats, rows, ValueRange{addIndex(b, position, p), k}));
      for (int64_t h = 0; h < headGroup; ++h) {
        Value query =
            vector::LoadOp::create(b, floats, queries, ValueRange{addIndex(b, head, h), k});
        for (int64_t p = 0; p < kPositionGroup; ++p) {
          Value &sum = next[h * kPositionGroup + p];
          sum = math::FmaOp::create(b, query, keys[p], sum);
        }
      }
      return next;
    };
    auto totals = forRange(b, constantIndex(b, 0), constantIndex(b, width), lanes, init, step);
    Value all = sumLanes(b, totals);
    for (int64_t h = 0; h < headGroup; ++h) {
      Value part = vector::ExtractStridedSliceOp::create(
          b, all, ArrayRef<int64_t>{h * kPositionGroup}, ArrayRef<int64_t>{kPositionGroup},
          ArrayRef<int64_t>{1});
      vector::StoreOp::create(b, part, scores, ValueRange{addIndex(b, head, h), position});
    }
  };
  // Rows behind the last are stale; emitWeights drops their scores.
  forRange(b, constantIndex(b, 0), count, kPositionGroup, [&](Value position) {
    forHeads(headGroup, [&](Value head) { tileOfScores(position, head); });
  });
}

void LatentTile::emitWeights(Value count) {
  VectorType floats = floatVector(b, positions);
  Value mask = vector::CreateMaskOp::create(b, VectorType::get({positions}, b.getI1Type()), count);
  Value never = constantFloat(b, -std::numeric_limits<double>::infinity(), positions);
  Value scale = constantFloat(b, op.getScale().convertToDouble(), positions);
  auto reduce = [&](vector::CombiningKind kind, Value values) -> Value {
    return vector::ReductionOp::create(b, kind, values, arith::FastMathFlags::reassoc);
  };
  forHeads(1, [&](Value head) {
    Value score = vector::LoadOp::create(b, floats, scores, ValueRange{head, constantIndex(b, 0)});
    score = arith::MulFOp::create(b, score, scale);
    score = arith::SelectOp::create(b, mask, score, never);
    Value before = memref::LoadOp::create(b, maxima, head);
    Value maximum =
        arith::MaximumFOp::create(b, before, reduce(vector::CombiningKind::MAXIMUMF, score));
    Value weights =
        math::ExpOp::create(b, arith::SubFOp::create(b, score, splat(b, maximum, positions)));
    Value shrink = math::ExpOp::create(b, arith::SubFOp::create(b, before, maximum));
    Value sum = memref::LoadOp::create(b, sums, head);
    sum = math::FmaOp::create(b, sum, shrink, reduce(vector::CombiningKind::ADD, weights));
    vector::StoreOp::create(b, weights, scores, ValueRange{head, constantIndex(b, 0)});
    memref::StoreOp::create(b, maximum, maxima, head);
    memref::StoreOp::create(b, shrink, shrinks, head);
    memref::StoreOp::create(b, sum, sums, head);
  });
}

void LatentTile::accumulate(Value count) {
  int64_t vectors = llvm::divideCeil(latent, lanes);
  int64_t whole = vectors / kColumnVectors * kColumnVectors;
  forHeads(headGroup, [&](Value head) {
    if (whole)
      forRange(b, constantIndex(b, 0), constantIndex(b, whole * lanes), kColumnVectors * lanes,
               [&](Value column) { accumulateColumns(head, column, kColumnVectors, count); });
    if (vectors > whole)
      accumulateColumns(head, constantIndex(b, whole * lanes), vectors - whole, count);
  });
}

void LatentTile::accumulateColumns(Value head, Value column, int64_t vectors, Value count) {
  VectorType floats = floatVector(b, lanes);
  auto place = [&](int64_t h, int64_t v) {
    return SmallVector<Value>{addIndex(b, head, h), addIndex(b, column, v * lanes)};
  };
  SmallVector<Value> init;
  for (int64_t h = 0; h < headGroup; ++h) {
    Value shrink = memref::LoadOp::create(b, shrinks, addIndex(b, head, h));
    for (int64_t v = 0; v < vectors; ++v)
      init.push_back(arith::MulFOp::create(
          b, vector::LoadOp::create(b, floats, output, place(h, v)), splat(b, shrink, lanes)));
  }
  auto step = [&](Value i, ValueRange carried) {
    SmallVector<Value> next(carried), values;
    for (int64_t v = 0; v < vectors; ++v)
      values.push_back(
          vector::LoadOp::create(b, floats, rows, ValueRange{i, addIndex(b, column, v * lanes)}));
    for (int64_t h = 0; h < headGroup; ++h) {
      Value weight = memref::LoadOp::create(b, scores, ValueRange{addIndex(b, head, h), i});
      weight = splat(b, weight, lanes);
      for (int64_t v = 0; v < vectors; ++v) {
        Value &sum = next[h * vectors + v];
        sum = math::FmaOp::create(b, weight, values[v], sum);
      }
    }
    return next;
  };
  auto totals = forRange(b, constantIndex(b, 0), count, 1, init, step);
  for (int64_t h = 0; h < headGroup; ++h)
    for (int64_t v = 0; v < vectors; ++v)
      vector::StoreOp::create(b, totals[h * vectors + v], output, place(h, v));
}

void LatentTile::storeResult() {
  Value left = arith::SubIOp::create(b, constantIndex(b, heads), firstHead);
  Value count = arith::MinUIOp::create(b, left, constantIndex(b, headBlock));
  forRange(b, constantIndex(b, 0), count, 1, [&](Value i) {
    Value sum = memref::LoadOp::create(b, sums, i);
    Value begin = mulIndex(b, arith::AddIOp::create(b, firstHead, i), latent);
    forColumns(b, latent, lanes, [&](Value column, int64_t width) {
      Value values = loadFloats(b, output, {i, column}, width);
      values = arith::DivFOp::create(b, values, splat(b, sum, width));
      for (unsigned result : tile.getResultsOf(op.getResult()))
        storeFloats(b, values, tile.getResult(result).data,
                    {token, arith::AddIOp::create(b, begin, column).getResult()});
    });
  });
}
