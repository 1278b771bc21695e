// Keys and values expanded from latents, a block of positions at a time.
#include "codegen/kernels/attention/MlaTile.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/attention/ResultQuantize.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

std::optional<std::string> MlaTile::refuse(moe::QuantizeOp op) {
  auto attention = op.getX().getDefiningOp<moe::MlaAttentionOp>();
  if (!attention)
    return "the host's attention kernels quantize the attention's result, nothing else";
  return refuseQuantize(op, attention.getVDim(), "a head's");
}

FailureOr<MlaTile> MlaTile::get(TileFunction &tile, moe::MlaAttentionOp op) {
  FailureOr<moe::QuantizeOp> quantize = findQuantize(op, refuse);
  if (failed(quantize))
    return failure();
  auto weight = OperandReader::get(tile, op.getUpWeight(), tile.getScheduleSize("vector"));
  if (failed(weight))
    return failure();
  return MlaTile(tile, op, *quantize, *weight);
}

static DotSizes getDotSizes(const TileFunction &tile, moe::MlaAttentionOp op) {
  auto size = [&](StringRef name) { return tile.getScheduleSize(name); };
  int64_t columns = llvm::alignTo(op.getNopeDim() + op.getVDim(), size("rows"));
  return {size("vector"), columns, size("positions"), size("rows"), size("group"), size("depth")};
}

static SoftmaxTile::Sizes getSoftmaxSizes(const TileFunction &tile, moe::MlaAttentionOp op) {
  return {.lanes = tile.getScheduleSize("vector"),
          .queries = tile.getScheduleSize("tokens"),
          .group = tile.getScheduleSize("group"),
          .positions = tile.getScheduleSize("positions"),
          .keyColumns = int64_t(op.getNopeDim() + op.getRopeDim()),
          .valueColumns = int64_t(op.getVDim()),
          .scale = op.getScale().convertToDouble()};
}

MlaTile::MlaTile(TileFunction &tile, moe::MlaAttentionOp op, moe::QuantizeOp quantize,
                 OperandReader weight)
    : tile(tile), op(op), quantize(quantize), b(tile.b), lanes(tile.getScheduleSize("vector")),
      nope(op.getNopeDim()), rope(op.getRopeDim()), latent(weight.getColumns()),
      values(op.getVDim()), weight(weight), cache(tile, op.getCache(), op.getBlockTable(), lanes),
      softmax(tile, getSoftmaxSizes(tile, op)), rows(allocateRows(tile, cache.getColumns())),
      dot(tile, OperandReader::ofRows(tile, rows, latent, lanes), weight, getDotSizes(tile, op)),
      keyBlock(allocateRows(tile, nope + rope)), valueBlock(allocateRows(tile, values)),
      runs(tile, op.getPositions(), op.getSequences()) {}

void MlaTile::emit() {
  Value heads = constantIndex(b, op.getHeads());
  int64_t tokens = tile.getScheduleSize("tokens");
  head = arith::RemUIOp::create(b, tile.getTile(), heads);
  Value first = mulIndex(b, arith::DivUIOp::create(b, tile.getTile(), heads), tokens);
  Value last = arith::MinUIOp::create(b, addIndex(b, first, tokens), tile.getResult(0).rows);

  runs.forEach(first, last,
               [&](Value begin, Value end, Value context) { emitRun(begin, end, context); });
}

void MlaTile::emitRun(Value begin, Value end, Value context) {
  Value count = arith::SubIOp::create(b, end, begin);
  Value sequence = runs.loadSequence(begin);
  stageQueries(begin, count);
  softmax.start(count);
  int64_t size = tile.getScheduleSize("positions");
  forRange(b, constantIndex(b, 0), context, size, [&](Value position) {
    Value left = arith::SubIOp::create(b, context, position);
    Value block = arith::MinUIOp::create(b, left, constantIndex(b, size));
    expand(sequence, position, block);
    softmax.update(keyBlock, valueBlock, [&](Value query) {
      return runs.countSeen(addIndex(b, begin, query), position, block);
    });
  });
  storeResult(begin, count);
}

void MlaTile::stageQueries(Value begin, Value count) {
  Value from = tile.getArgument(op.getQ()).data, into = softmax.getQueries();
  Value column = mulIndex(b, head, nope + rope);
  forRange(b, constantIndex(b, 0), count, 1, [&](Value i) {
    copyColumns(b, lanes, from, addIndex(b, begin, i), column, nope + rope, into, i, 0);
    zeroTail(b, lanes, into, i, nope + rope);
  });
}

/// Keys and values of `count` positions from `position` on.
void MlaTile::expand(Value sequence, Value position, Value count) {
  cache.fetch(sequence, position, count, rows);
  int64_t headRows = nope + values, group = dot.getSizes().rows;
  dot.emit({.weightRow = mulIndex(b, head, headRows),
            .numRows = constantIndex(b, headRows),
            .numTokens = count,
            .xColumn = constantIndex(b, 0),
            .source = [](Value row) { return row; },
            .expert = nullptr,
            .aligned = weight.sharesScales(group) && headRows % group == 0});
  Value sums = dot.getSums(), zero = constantIndex(b, 0);
  forRange(b, zero, count, 1, [&](Value i) {
    copyColumns(b, lanes, sums, i, zero, nope, keyBlock, i, 0);
    copyColumns(b, lanes, rows, i, constantIndex(b, latent), rope, keyBlock, i, nope);
    zeroTail(b, lanes, keyBlock, i, nope + rope);
    copyColumns(b, lanes, sums, i, constantIndex(b, nope), values, valueBlock, i, 0);
  });
}

void MlaTile::storeResult(Value begin, Value count) {
  Value first = mulIndex(b, head, values);
  forRange(b, constantIndex(b, 0), count, 1, [&](Value i) {
    Value token = addIndex(b, begin, i);
    forColumns(b, values, lanes, [&](Value column, int64_t width) {
      Value loaded = softmax.load(i, column, width);
      storeFloats(b, roundFloats(b, loaded, op.getType()), valueBlock,
                  {constantIndex(b, 0), column});
      for (unsigned result : tile.getResultsOf(op.getResult()))
        storeFloats(b, loaded, tile.getResult(result).data, {token, addIndex(b, first, column)});
    });
    if (quantize)
      storeQuantized(tile, quantize, valueBlock, token, first, constantIndex(b, values));
  });
}
