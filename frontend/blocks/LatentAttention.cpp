// Multi-head latent attention. The cache holds, for each token, the normed
// latent and the rotated key that all heads share.
#include "frontend/blocks/Blocks.h"

using namespace mlir;
using namespace moec;
using namespace moec::frontend;

static Value queries(GraphBuilder &graph, Value x, const LatentAttention &attention) {
  if (attention.q)
    return linear(graph, x, *attention.q);
  Value latent =
      rmsNorm(graph, linear(graph, x, *attention.qA), *attention.qANorm, attention.normEpsilon);
  return linear(graph, latent, *attention.qB);
}

Value moec::frontend::emitAttention(GraphBuilder &graph, Location loc, Value x,
                                    const EntryArguments &entry, Value &cache,
                                    const LatentAttention &attention) {
  OpBuilder &builder = graph.builder;
  auto slice = [&](Value value, int64_t offset, int64_t size) -> Value {
    return moe::SliceOp::create(builder, loc, graph.rows(size), value, offset);
  };
  Value q =
      rotate(graph, loc, queries(graph, x, attention), entry, attention.heads, attention.rope);

  Value kv = linear(graph, x, attention.kvA);
  Value latent =
      rmsNorm(graph, slice(kv, 0, attention.latent), attention.kvANorm, attention.normEpsilon);
  Value key = rotate(graph, loc, slice(kv, attention.latent, attention.ropeDim), entry,
                     /*heads=*/1, attention.rope);
  Value rows = moe::ConcatOp::create(builder, loc, graph.rows(attention.cacheWidth()),
                                     ValueRange{latent, key});
  cache = moe::CacheAppendOp::create(builder, loc, cache.getType(), cache, rows, entry.positions,
                                     entry.sequences, entry.blockTable);

  Value heads = moe::MlaAttentionOp::create(
      builder, loc, graph.rows(attention.heads * attention.vDim), q,
      graph.weight(attention.kvB).value, cache, entry.positions, entry.sequences, entry.blockTable,
      attention.heads, attention.nopeDim, attention.ropeDim, attention.vDim,
      llvm::APFloat(attention.softmaxScale));
  return linear(graph, heads, attention.o);
}
