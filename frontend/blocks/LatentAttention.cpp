// Multi-head latent attention. The cache holds, for each token, the normed
// latent and the rotated key that all heads share.
#include "frontend/blocks/Blocks.h"
#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::frontend;

double moec::frontend::yarnScale(double factor, double mscale) {
  return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1;
}

static moe::RopeAttr ropeAttr(MLIRContext *context, const Rope &rope) {
  moe::YarnAttr yarn;
  if (rope.yarn)
    yarn = moe::YarnAttr::get(context, rope.yarn->factor, rope.yarn->originalContext,
                              rope.yarn->betaFast, rope.yarn->betaSlow, rope.yarn->attentionFactor);
  auto layout = rope.interleaved ? moe::RopeLayout::Interleaved : moe::RopeLayout::Half;
  return moe::RopeAttr::get(context, rope.dim, rope.theta, layout, yarn);
}

static Value queries(GraphBuilder &graph, Value x, double epsilon,
                     const LatentAttentionWeights &weights) {
  if (weights.q)
    return linear(graph, x, *weights.q);
  Value latent = rmsNorm(graph, linear(graph, x, *weights.qA), *weights.qANorm, epsilon);
  return linear(graph, latent, *weights.qB);
}

Value moec::frontend::latentAttention(GraphBuilder &graph, Location loc, Value x,
                                      const EntryArguments &entry, Value &cache,
                                      const LatentAttention &shape,
                                      const LatentAttentionWeights &weights) {
  OpBuilder &builder = graph.builder;
  auto rotate = [&](Value value, int64_t heads) -> Value {
    return moe::RopeOp::create(builder, loc, value.getType(), value, entry.positions, Value(),
                               heads, ropeAttr(builder.getContext(), shape.rope));
  };
  auto slice = [&](Value value, int64_t offset, int64_t size) -> Value {
    return moe::SliceOp::create(builder, loc, graph.rows(size), value, offset);
  };
  Value q = rotate(queries(graph, x, shape.normEpsilon, weights), shape.heads);

  Value kv = linear(graph, x, weights.kvA);
  Value latent = rmsNorm(graph, slice(kv, 0, shape.latent), weights.kvANorm, shape.normEpsilon);
  Value key = rotate(slice(kv, shape.latent, shape.ropeDim), 1);
  Value cacheRows = moe::ConcatOp::create(builder, loc, graph.rows(shape.latent + shape.ropeDim),
                                          ValueRange{latent, key});
  cache = moe::CacheAppendOp::create(builder, loc, cache.getType(), cache, cacheRows,
                                     entry.positions, entry.sequences, entry.blockTable);

  Value heads = moe::MlaAttentionOp::create(
      builder, loc, graph.rows(shape.heads * shape.vDim), q, weights.kvB.value, cache,
      entry.positions, entry.sequences, entry.blockTable, shape.heads, shape.nopeDim, shape.ropeDim,
      shape.vDim, llvm::APFloat(shape.softmaxScale));
  return linear(graph, heads, weights.o);
}
