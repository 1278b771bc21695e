// Attention of one token over a paged latent cache.
#include "codegen/kernels/attention/LatentTile.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

static SoftmaxTile::Sizes getSoftmaxSizes(const TileFunction &tile, moe::LatentAttentionOp op) {
  int64_t width = cast<moe::CacheType>(op.getCache().getType()).getWidth();
  return {.lanes = tile.getScheduleSize("vector"),
          .queries = tile.getScheduleSize("heads"),
          .group = tile.getScheduleSize("head_group"),
          .positions = tile.getScheduleSize("positions"),
          .keyColumns = width,
          .valueColumns = width - int64_t(op.getRopeDim()),
          .scale = op.getScale().convertToDouble()};
}

LatentTile::LatentTile(TileFunction &tile, moe::LatentAttentionOp op, HeadOutput *product)
    : tile(tile), op(op), product(product), b(tile.b), heads(op.getHeads()),
      latent(moe::getShape(op.getType())[1] / heads), rope(op.getRopeDim()),
      queryColumns(moe::getShape(op.getQ().getType())[1] / heads),
      lanes(tile.getScheduleSize("vector")), headBlock(tile.getScheduleSize("heads")),
      positions(tile.getScheduleSize("positions")),
      cache(tile, op.getCache(), op.getBlockTable(), lanes),
      softmax(tile, getSoftmaxSizes(tile, op)),
      rows(tile.allocate({positions, padColumns(cache.getColumns(), lanes)}, b.getF32Type())) {
  Value blocks = constantIndex(b, llvm::divideCeil(heads, headBlock));
  token = arith::DivUIOp::create(b, tile.getTile(), blocks);
  firstHead = mulIndex(b, arith::RemUIOp::create(b, tile.getTile(), blocks), headBlock);
}

void LatentTile::emit() {
  stageQueries();
  softmax.start(constantIndex(b, headBlock));
  Value sequence = loadIndex(b, tile.getArgument(op.getSequences()).data, {token});
  Value last = loadIndex(b, tile.getArgument(op.getPositions()).data, {token});
  Value context = addIndex(b, last, 1);
  forRange(b, constantIndex(b, 0), context, positions, [&](Value position) {
    Value count = arith::MinUIOp::create(b, arith::SubIOp::create(b, context, position),
                                         constantIndex(b, positions));
    cache.fetch(sequence, position, count, rows);
    softmax.update(rows, rows, [&](Value) { return count; });
  });
  storeResult();
}

void LatentTile::stageQueries() {
  Value latents = tile.getArgument(op.getQLatent()).data, ropes = tile.getArgument(op.getQ()).data,
        into = softmax.getQueries();
  // The last head stands in for those behind it.
  Value lastHead = constantIndex(b, heads - 1);
  forRange(b, constantIndex(b, 0), constantIndex(b, headBlock), 1, [&](Value i) {
    Value head = arith::MinUIOp::create(b, addIndex(b, firstHead, i), lastHead);
    copyColumns(b, lanes, latents, token, mulIndex(b, head, latent), latent, into, i, 0);
    Value ropeColumn = addIndex(b, mulIndex(b, head, queryColumns), queryColumns - rope);
    copyColumns(b, lanes, ropes, token, ropeColumn, rope, into, i, latent);
    zeroTail(b, lanes, into, i, latent + rope);
  });
}

void LatentTile::storeResult() {
  Value left = arith::SubIOp::create(b, constantIndex(b, heads), firstHead);
  Value count = arith::MinUIOp::create(b, left, constantIndex(b, headBlock));
  forRange(b, constantIndex(b, 0), count, 1, [&](Value i) {
    Value head = addIndex(b, firstHead, i), begin = mulIndex(b, head, latent);
    auto load = [&](Value column, int64_t width) { return softmax.load(i, column, width); };
    for (unsigned result : tile.getResultsOf(op.getResult()))
      forColumns(b, latent, lanes, [&](Value column, int64_t width) {
        storeFloats(b, load(column, width), tile.getResult(result).data,
                    {token, addIndex(b, begin, column)});
      });
    if (product)
      product->emitHead(token, head, i, load);
  });
  if (product)
    product->finish(token, firstHead, count);
}
