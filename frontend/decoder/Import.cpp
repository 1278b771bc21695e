// A decoder's graph: its entries, its layers, the numerics that it states.
#include "frontend/Errors.h"
#include "frontend/decoder/Decoder.h"

using namespace mlir;
using namespace moec;
using namespace moec::frontend;

namespace {
class Import {
public:
  Import(GraphBuilder &graph, const Decoder &decoder) : graph(graph), decoder(decoder) {}
  void forward();
  void nextToken(const NextTokenLayer &next);

private:
  Value layer(const DecoderLayer &layer, Value x, const EntryArguments &entry, Value &cache);
  Value embed(const WeightRequest &table, Value ids);
  Value norm(Value x, const WeightRequest &weight) {
    return rmsNorm(graph, x, weight, decoder.normEpsilon);
  }
  /// Rows wanted, then norm and head.
  Value logits(Value x, const EntryArguments &entry, const WeightRequest &finalNorm,
               const WeightRequest &head);

  GraphBuilder &graph;
  const Decoder &decoder;
};
} // namespace

static int64_t getCacheWidth(const DecoderLayer &layer) {
  return std::visit([](const auto &attention) { return attention.cacheWidth(); }, layer.attention);
}

Value Import::layer(const DecoderLayer &layer, Value x, const EntryArguments &entry, Value &cache) {
  Location loc = graph.location(layer.prefix);
  Value normed = norm(x, layer.attentionNorm);
  Value attended = std::visit(
      [&](const auto &attention) {
        return emitAttention(graph, graph.location(layer.prefix + ".self_attn"), normed, entry,
                             cache, attention);
      },
      layer.attention);
  x = add(graph, loc, x, attended);
  normed = norm(x, layer.feedForwardNorm);
  Value fed = std::visit(
      [&](const auto &feedForward) {
        return emitFeedForward(graph, graph.location(layer.prefix + ".mlp"), normed, feedForward);
      },
      layer.feedForward);
  return add(graph, loc, x, fed);
}

Value Import::embed(const WeightRequest &table, Value ids) {
  Weight weight = graph.weight(table);
  return moe::EmbeddingOp::create(graph.builder, weight.loc, graph.rows(decoder.hiddenSize), ids,
                                  weight.value);
}

Value Import::logits(Value x, const EntryArguments &entry, const WeightRequest &finalNorm,
                     const WeightRequest &head) {
  x = moe::GatherRowsOp::create(graph.builder, graph.location("output_rows"), x.getType(), x,
                                entry.outputRows);
  return linear(graph, norm(x, finalNorm), head);
}

void Import::forward() {
  EntryArguments entry =
      graph.beginEntry("forward", decoder.numLayers, getCacheWidth(decoder.layers.front()));
  Value x = embed(decoder.embedding, entry.ids);
  for (auto [next, cache] : llvm::zip_equal(decoder.layers, entry.caches))
    x = layer(next, x, entry, cache);
  graph.endEntry(logits(x, entry, decoder.norm, decoder.head), entry.caches);
}

void Import::nextToken(const NextTokenLayer &next) {
  EntryArguments entry = graph.beginEntry("mtp", 1, getCacheWidth(next.layer), decoder.hiddenSize);
  Location loc = graph.location(next.layer.prefix);
  Value token = norm(embed(next.embedding, entry.ids), next.embeddingNorm);
  Value hidden = norm(entry.hidden, next.hiddenNorm);
  Value both = moe::ConcatOp::create(graph.builder, loc, graph.rows(2 * decoder.hiddenSize),
                                     ValueRange{token, hidden});
  Value x = linear(graph, both, next.projection);
  x = layer(next.layer, x, entry, entry.caches[0]);
  graph.endEntry(logits(x, entry, next.norm, next.head), entry.caches);
}

//===-- The contract -----------------------------------------------------------===//

static std::string describeRouter(const Experts &experts) {
  const Routing &routing = experts.routing;
  std::string text = stringifyScoring(routing.scoring).str() + " scores in f32";
  if (experts.routerBias)
    text += "; bias in the choice only";
  if (routing.groups > 1)
    text += routing.groupScore == moe::GroupScore::Max ? "; groups by their best"
                                                       : "; groups by the sum of their two best";
  return text + "; ties to the lower index";
}

/// The dictionary `moe.numerics`.
static DictionaryAttr getNumerics(Builder &builder, const Decoder &decoder,
                                  const ImportOptions &options) {
  bool canQuantize = decoder.scheme->quantizesActivations();
  bool quantizes = canQuantize && options.quantizeInputs.value_or(true);
  StringRef cache = options.cacheElement == DType::BF16  ? "bf16"
                    : options.cacheElement == DType::F16 ? "f16"
                                                         : "f32";
  NamedAttrList numerics;
  auto say = [&](StringRef key, StringRef value) {
    numerics.set(key, builder.getStringAttr(value));
  };
  say("weights", decoder.scheme->name());
  say("activations", quantizes ? "quantized" : "exact");
  say("kv_cache", cache);
  say("accumulation", "f32");
  say("norms_and_softmax", "f32");
  for (const DecoderLayer &layer : decoder.layers)
    if (auto *experts = std::get_if<Experts>(&layer.feedForward)) {
      say("router", describeRouter(*experts));
      break;
    }
  bool interleaved = std::visit([](const auto &attention) { return attention.rope.interleaved; },
                                decoder.layers.front().attention);
  say("rope", interleaved ? "interleaved" : "half");
  return numerics.getDictionary(builder.getContext());
}

static void annotate(GraphBuilder &graph, const Checkpoint &checkpoint, const Decoder &decoder,
                     const ImportOptions &options) {
  Builder &builder = graph.builder;
  ModuleOp module = graph.module();
  module->setAttr("moe.model_type", builder.getStringAttr(checkpoint.modelType()));
  module->setAttr("moe.model_name", builder.getStringAttr(options.modelName));
  module->setAttr("moe.vocab_size", builder.getI64IntegerAttr(decoder.vocabSize));
  module->setAttr("moe.max_context", builder.getI64IntegerAttr(decoder.maxPositions));
  module->setAttr("moe.numerics", getNumerics(builder, decoder, options));
}

/// Of tied embeddings the checkpoint holds one tensor.
static llvm::Error checkTied(const Checkpoint &checkpoint, const Decoder &decoder) {
  if (!decoder.tiedEmbeddings || !checkpoint.find(headName))
    return llvm::Error::success();
  return makeError(
      "'{0}': key 'tie_word_embeddings' is true, but the checkpoint holds '{1}' beside "
      "'{2}'; remove that tensor, or set the key to false to use it",
      checkpoint.configPath(), headName, decoder.embedding.name);
}

llvm::Expected<OwningOpRef<ModuleOp>> moec::frontend::importDecoder(MLIRContext *context,
                                                                    const Checkpoint &checkpoint,
                                                                    const Decoder &decoder,
                                                                    const ImportOptions &options) {
  if (llvm::Error error = checkTied(checkpoint, decoder))
    return error;
  GraphBuilder graph(context, checkpoint, *decoder.scheme, options);
  annotate(graph, checkpoint, decoder, options);
  Import import(graph, decoder);
  import.forward();
  for (const NextTokenLayer &next : decoder.nextToken)
    import.nextToken(next);
  return graph.finish();
}
