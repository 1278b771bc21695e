// Attention whose heads share keys and values in groups. The cache holds, for each token, the
// rotated keys and the values side by side.
#include "frontend/blocks/Blocks.h"

using namespace mlir;
using namespace moec;
using namespace moec::frontend;

Value moec::frontend::emitAttention(GraphBuilder &graph, Location loc, Value x,
                                    const EntryArguments &entry, Value &cache,
                                    const GroupedQueryAttention &attention) {
  OpBuilder &builder = graph.builder;
  auto normed = [&](Value value, const std::optional<WeightRequest> &weight, int64_t heads) {
    return weight ? rmsNorm(graph, value, *weight, attention.normEpsilon, heads) : value;
  };
  Value q = normed(linear(graph, x, attention.q), attention.qNorm, attention.heads);
  Value k = normed(linear(graph, x, attention.k), attention.kNorm, attention.kvHeads);
  Value v = linear(graph, x, attention.v);
  q = rotate(graph, loc, q, entry, attention.heads, attention.rope);
  k = rotate(graph, loc, k, entry, attention.kvHeads, attention.rope);
  Value rows =
      moe::ConcatOp::create(builder, loc, graph.rows(attention.cacheWidth()), ValueRange{k, v});
  cache = moe::CacheAppendOp::create(builder, loc, cache.getType(), cache, rows, entry.positions,
                                     entry.sequences, entry.blockTable);
  Value heads = moe::AttentionOp::create(
      builder, loc, graph.rows(attention.heads * attention.headDim), q, cache, entry.positions,
      entry.sequences, entry.blockTable, attention.heads, attention.kvHeads, attention.headDim,
      attention.headDim, llvm::APFloat(attention.softmaxScale));
  return linear(graph, heads, attention.o);
}
