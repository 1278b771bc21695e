// Attention of one token and one head by a team, over a paged cache of latents or of keys and
// values:
//
//   latent query = the query, or its product with the key rows of the up-projection
//   for each block of positions up to the token's:
//     scores  = scale * [latent query | rope query] . cached rows  (a subgroup takes a row)
//     new maximum, weights, their sum; the output shrinks          (threads share positions)
//     output += weights . latents                                  (threads share columns)
//   result = output / sum, or the product of that with the value rows of the up-projection
//
// moe.attention is the same with the head's own columns of a cached row as key and as value.
// moe.mla_attention is computed by its absorbed form, whatever the number of tokens. Plain: any
// GPU, any shape, and no matrix instructions.
#include "codegen/kernels/QuantizedRows.h"
#include "codegen/kernels/TeamEmitters.h"
#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/matmul/MatrixSchedule.h"
#include "codegen/kernels/team_matmul/TeamDot.h"
#include "codegen/kernels/team_matmul/TeamRowSum.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

namespace {

/// What all attention ops have.
struct Shape {
  Operation *op = nullptr;
  Value cache, positions, sequences, blockTable;
  int64_t heads, rope = 0, page;
  int64_t width;  // of a key
  int64_t latent; // of a value
  int64_t shared; // heads that share a key
  double scale;

  template <typename Op> explicit Shape(Op attention) : op(attention) {
    auto type = cast<moe::CacheType>(attention.getCache().getType());
    cache = attention.getCache();
    positions = attention.getPositions();
    sequences = attention.getSequences();
    blockTable = attention.getBlockTable();
    shared = heads = attention.getHeads();
    page = type.getPage();
    scale = attention.getScale().convertToDouble();
    if constexpr (std::is_same_v<Op, moe::AttentionOp>) {
      shared = heads / int64_t(attention.getKvHeads());
      width = attention.getKeyDim();
      latent = attention.getValueDim();
    } else {
      rope = attention.getRopeDim();
      width = type.getWidth();
      latent = width - rope;
    }
  }
};

std::optional<Shape> findAttention(kern::KernelOp kernel) {
  for (Operation &op : kernel.getBody().front()) {
    if (auto latent = dyn_cast<moe::LatentAttentionOp>(op))
      return Shape(latent);
    if (auto mla = dyn_cast<moe::MlaAttentionOp>(op))
      return Shape(mla);
    if (auto attention = dyn_cast<moe::AttentionOp>(op))
      return Shape(attention);
  }
  return std::nullopt;
}

class TeamAttention {
public:
  TeamAttention(TileFunction &tile, const Shape &shape);
  void emit();

private:
  void stageLatentQuery(moe::LatentAttentionOp op);
  void stageQuery(moe::MlaAttentionOp op);
  void copy(Value from, Value row, Value column, int64_t columns, int64_t to);
  void fetchSlots(Value position, Value count);
  Value loadCached(Value slot, Value first, Value column, int64_t width);
  void emitScores(Value count);
  /// Turns scores into weights; returns the new maximum and sum, and by how much the output
  /// shrinks.
  std::array<Value, 3> emitWeights(Value count, Value maximum, Value sum);
  void accumulate(Value count, Value shrink);
  void storeOutput(Value sum);
  void storeValues(moe::MlaAttentionOp op, Value sum);

  TileFunction &tile;
  ImplicitLocOpBuilder &b;
  const Team &team;
  Shape shape;
  int64_t block; // positions
  Value query, output, scores, slots;
  Value cache, token, head;
  std::optional<QuantizedRows> quantized; // the cache, when its rows are
  Value firstKey, firstValue;             // columns of a cached row
};

} // namespace

TeamAttention::TeamAttention(TileFunction &tile, const Shape &shape)
    : tile(tile), b(tile.b), team(tile.getTeam()), shape(shape),
      block(tile.getScheduleSize("positions")) {
  Type f32 = b.getF32Type();
  query = tile.allocate({shape.width}, f32);
  output = tile.allocate({shape.latent}, f32);
  scores = tile.allocate({block}, f32);
  slots = tile.allocate({block}, b.getI32Type());
  cache = tile.getArgument(shape.cache).data;
  if (auto type = cast<moe::CacheType>(shape.cache.getType()); moe::getCacheRow(type).isQuantized())
    quantized.emplace(b, cache, type);
  Value heads = constantIndex(b, shape.heads);
  token = arith::DivUIOp::create(b, tile.getTile(), heads);
  head = arith::RemUIOp::create(b, tile.getTile(), heads);
  firstKey = firstValue = constantIndex(b, 0);
  if (isa<moe::AttentionOp>(shape.op)) {
    Value keyHead = arith::DivUIOp::create(b, head, constantIndex(b, shape.shared));
    firstKey = mulIndex(b, keyHead, shape.width);
    firstValue =
        addIndex(b, mulIndex(b, keyHead, shape.latent), shape.heads / shape.shared * shape.width);
  }
}

void TeamAttention::emit() {
  auto mla = dyn_cast<moe::MlaAttentionOp>(shape.op);
  if (auto latent = dyn_cast<moe::LatentAttentionOp>(shape.op))
    stageLatentQuery(latent);
  else if (mla)
    stageQuery(mla);
  else
    copy(tile.getArgument(cast<moe::AttentionOp>(shape.op).getQ()).data, token,
         mulIndex(b, head, shape.width), shape.width, 0);
  forColumns(b, shape.latent, team, [&](Value column, int64_t width) {
    storeFloats(b, constantFloat(b, 0, width), output, {column});
  });

  Value last = loadIndex(b, tile.getArgument(shape.positions).data, {token});
  Value context = addIndex(b, last, 1);
  double infinity = std::numeric_limits<double>::infinity();
  auto step = [&](Value position, ValueRange carried) -> SmallVector<Value> {
    Value left = arith::SubIOp::create(b, context, position);
    Value count = arith::MinUIOp::create(b, left, constantIndex(b, block));
    barrier(b, team);
    fetchSlots(position, count);
    barrier(b, team);
    emitScores(count);
    barrier(b, team);
    auto [maximum, sum, shrink] = emitWeights(count, carried[0], carried[1]);
    barrier(b, team);
    accumulate(count, shrink);
    return {maximum, sum};
  };
  auto done = forRange(b, constantIndex(b, 0), context, block,
                       {constantFloat(b, -infinity), constantFloat(b, 0)}, step);
  if (mla)
    storeValues(mla, done[1]);
  else
    storeOutput(done[1]);
}

//===----------------------------------------------------------------------===//
// The query
//===----------------------------------------------------------------------===//

/// query[to ...] = from[row, column ...]
void TeamAttention::copy(Value from, Value row, Value column, int64_t columns, int64_t to) {
  forColumns(b, columns, team, [&](Value offset, int64_t width) {
    Value values = loadFloats(b, from, {row, addIndex(b, column, offset)}, width);
    storeFloats(b, values, query, {addIndex(b, offset, to)});
  });
}

void TeamAttention::stageLatentQuery(moe::LatentAttentionOp op) {
  int64_t columns = moe::getShape(op.getQ().getType())[1] / shape.heads;
  copy(tile.getArgument(op.getQLatent()).data, token, mulIndex(b, head, shape.latent), shape.latent,
       0);
  Value ropeColumn = addIndex(b, mulIndex(b, head, columns), columns - shape.rope);
  copy(tile.getArgument(op.getQ()).data, token, ropeColumn, shape.rope, shape.latent);
}

void TeamAttention::stageQuery(moe::MlaAttentionOp op) {
  int64_t nope = op.getNopeDim(), values = op.getVDim();
  Value q = tile.getArgument(op.getQ()).data, first = mulIndex(b, head, nope + shape.rope);
  copy(q, token, addIndex(b, first, nope), shape.rope, shape.latent);
  Operand weight(tile, op.getUpWeight());
  auto load = [&](int64_t, Value i) { return loadFloat(b, q, {token, addIndex(b, first, i)}); };
  TeamRowSum sum{
      weight, mulIndex(b, head, nope + values), constantIndex(b, 0), nope, shape.latent, load, 1};
  sum.emit(b, team,
           [&](int64_t, Value column, Value values) { storeFloats(b, values, query, {column}); });
}

//===----------------------------------------------------------------------===//
// A block of positions
//===----------------------------------------------------------------------===//

/// The cache's rows of `count` positions from `position` on.
void TeamAttention::fetchSlots(Value position, Value count) {
  Value sequence = loadIndex(b, tile.getArgument(shape.sequences).data, {token});
  Value table = tile.getArgument(shape.blockTable).data, page = constantIndex(b, shape.page);
  forScalars(b, team, constantIndex(b, 0), count, [&](Value i) {
    Value at = arith::AddIOp::create(b, position, i);
    Value number = loadIndex(b, table, {sequence, arith::DivUIOp::create(b, at, page).getResult()});
    Value slot = arith::AddIOp::create(b, arith::MulIOp::create(b, number, page),
                                       arith::RemUIOp::create(b, at, page));
    memref::StoreOp::create(b, arith::IndexCastOp::create(b, b.getI32Type(), slot), slots, i);
  });
}

/// Columns of a cached row, `column` counting from `first` on; of a quantized row, codes of one
/// block.
Value TeamAttention::loadCached(Value slot, Value first, Value column, int64_t width) {
  if (quantized)
    return quantized->loadCodes(b, slot, column, width);
  return loadFloats(b, cache, {slot, addIndex(b, first, column)}, width);
}

void TeamAttention::emitScores(Value count) {
  forItems(b, team, constantIndex(b, 0), count, [&](Value i, const Team &part) {
    Value slot = loadIndex(b, slots, {i});
    auto step = [&](Value column, int64_t width, ValueRange carried) -> SmallVector<Value> {
      return {dot(b, loadFloats(b, query, {column}, width),
                  loadCached(slot, firstKey, column, width), carried[0])};
    };
    auto tailStep = [&](Value column, int64_t width, ValueRange carried) -> SmallVector<Value> {
      Value at = addIndex(b, column, quantized->layout.codes);
      return {dot(b, loadFloats(b, query, {at}, width), quantized->loadTail(b, slot, column, width),
                  carried[0])};
    };
    int64_t columns = quantized ? quantized->layout.codes : shape.width;
    Value score = foldColumns(b, columns, part, {constantFloat(b, 0)}, step)[0];
    if (quantized)
      score = foldColumns(b, quantized->layout.tail, part, {score}, tailStep)[0];
    score = reduceTeam(b, part, score, Reduction::Add);
    score = arith::MulFOp::create(b, score, constantFloat(b, shape.scale));
    runOnce(b, part, [&] { storeFloat(b, score, scores, {i}); });
  });
}

std::array<Value, 3> TeamAttention::emitWeights(Value count, Value maximum, Value sum) {
  Value first = team.isOne() ? constantIndex(b, 0) : team.thread;
  auto most = [&](Value i, ValueRange carried) -> SmallVector<Value> {
    return {arith::MaximumFOp::create(b, carried[0], loadFloat(b, scores, {i}))};
  };
  Value found = forRange(b, first, count, team.threads, maximum, most)[0];
  found = reduceTeam(b, team, found, Reduction::Maximum);
  Value shrink = math::ExpOp::create(b, arith::SubFOp::create(b, maximum, found));
  auto weigh = [&](Value i, ValueRange carried) -> SmallVector<Value> {
    Value shifted = arith::SubFOp::create(b, loadFloat(b, scores, {i}), found);
    Value weight = math::ExpOp::create(b, shifted);
    storeFloat(b, weight, scores, {i});
    return {arith::AddFOp::create(b, carried[0], weight)};
  };
  Value added = forRange(b, first, count, team.threads, constantFloat(b, 0), weigh)[0];
  added = reduceTeam(b, team, added, Reduction::Add);
  return {found, math::FmaOp::create(b, sum, shrink, added), shrink};
}

void TeamAttention::accumulate(Value count, Value shrink) {
  forColumns(b, shape.latent, team, [&](Value column, int64_t width) {
    Value before = loadFloats(b, output, {column}, width);
    before = arith::MulFOp::create(b, before, splat(b, shrink, width));
    auto step = [&](Value i, ValueRange carried) -> SmallVector<Value> {
      Value row = loadCached(loadIndex(b, slots, {i}), firstValue, column, width);
      Value weight = splat(b, loadFloat(b, scores, {i}), width);
      return {math::FmaOp::create(b, weight, row, carried[0])};
    };
    Value after = forRange(b, constantIndex(b, 0), count, 1, before, step)[0];
    storeFloats(b, after, output, {column});
  });
}

//===----------------------------------------------------------------------===//
// The result
//===----------------------------------------------------------------------===//

void TeamAttention::storeOutput(Value sum) {
  Value first = mulIndex(b, head, shape.latent);
  forColumns(b, shape.latent, team, [&](Value column, int64_t width) {
    Value values =
        arith::DivFOp::create(b, loadFloats(b, output, {column}, width), splat(b, sum, width));
    for (unsigned result : tile.getResultsOf(shape.op->getResult(0)))
      storeFloats(b, values, tile.getResult(result).data, {token, addIndex(b, first, column)});
  });
}

void TeamAttention::storeValues(moe::MlaAttentionOp op, Value sum) {
  int64_t nope = op.getNopeDim(), values = op.getVDim();
  Operand weight(tile, op.getUpWeight());
  Value firstRow = addIndex(b, mulIndex(b, head, nope + values), nope);
  Value firstColumn = mulIndex(b, head, values);
  barrier(b, team);
  forItems(b, team, constantIndex(b, 0), constantIndex(b, values), [&](Value i, const Team &part) {
    Value row = arith::AddIOp::create(b, firstRow, i);
    auto step = [&](Value column, int64_t width, ValueRange carried) -> SmallVector<Value> {
      Value latents = loadFloats(b, output, {column}, width);
      Value weights = weight.load(b, row, column, width);
      Value scale = weight.loadScale(b, row, column);
      if (!scale)
        return {dot(b, latents, weights, carried[0])};
      Value product = dot(b, latents, weights, constantFloat(b, 0));
      return {math::FmaOp::create(b, product, scale, carried[0])};
    };
    Value total = foldColumns(b, shape.latent, part, {constantFloat(b, 0)}, step)[0];
    total = arith::DivFOp::create(b, reduceTeam(b, part, total, Reduction::Add), sum);
    runOnce(b, part, [&] {
      for (unsigned result : tile.getResultsOf(op.getResult()))
        storeFloat(b, total, tile.getResult(result).data,
                   {token, arith::AddIOp::create(b, firstColumn, i).getResult()});
    });
  });
}

//===----------------------------------------------------------------------===//
// The family
//===----------------------------------------------------------------------===//

namespace {

class TeamAttentionEmitter : public KernelEmitter {
public:
  std::optional<std::string> refuseFusion(Operation *op, bool) const override {
    if (auto mla = dyn_cast<moe::MlaAttentionOp>(op))
      return Operand::refuse(mla.getUpWeight().getType());
    if (isa<moe::LatentAttentionOp, moe::AttentionOp>(op))
      return std::nullopt;
    return "team attention kernels hold nothing but the attention";
  }

  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    int64_t threads = std::clamp<int64_t>(128, machine.subgroup, machine.threads);
    return {{makeSchedule(kernel.getContext(), {{"positions", 64}, {"threads", threads}}), 0}};
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    auto [dim, multiplier] = getRows(kernel);
    auto shape = findAttention(kernel);
    return kern::GridAttr::get(kernel.getContext(), dim, multiplier, 1, 0,
                               shape ? shape->heads : 1);
  }

  LogicalResult emit(TileFunction &tile) const override {
    auto shape = findAttention(tile.kernel);
    auto ops = tile.kernel.getBody().front().without_terminator();
    if (!shape || !llvm::hasSingleElement(ops))
      return tile.kernel.emitError() << "with hero attention must hold one attention op";
    if (auto mla = dyn_cast<moe::MlaAttentionOp>(shape->op))
      if (auto reason = Operand::refuse(mla.getUpWeight().getType()))
        return mla.emitError() << *reason;
    TeamAttention(tile, *shape).emit();
    return success();
  }
};

} // namespace

const KernelEmitter &moec::codegen::getTeamAttentionEmitter() {
  static const TeamAttentionEmitter emitter;
  return emitter;
}
