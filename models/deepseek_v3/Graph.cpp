#include "models/deepseek_v3/Graph.h"
#include "frontend/blocks/Blocks.h"
#include "models/deepseek_v3/Weights.h"
#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::frontend;
using namespace moec::models::deepseek_v3;

namespace {

/// The graph of one config: its layers and its two entries.
class Graph {
public:
  Graph(GraphBuilder &graph, const Config &config) : graph(graph), config(config) {}
  void forward(const ModelWeights &weights);
  void mtp(const MtpWeights &weights);
  void annotate(const ImportOptions &options);

private:
  Value layer(const LayerWeights &weights, Value x, const EntryArguments &entry, Value &cache);
  LatentAttentionWeights load(const AttentionWeights &weights);
  Swiglu load(const SwigluWeights &weights);
  Experts load(const MoeWeights &weights);
  LatentAttention attentionShape() const;
  Routing routing() const;
  /// Rows wanted, then norm and head.
  Value logits(Value x, const EntryArguments &entry, const WeightRequest &norm,
               const WeightRequest &head);
  Value embed(const WeightRequest &table, Value ids);

  GraphBuilder &graph;
  const Config &config;
};

} // namespace

//===-- From config to blocks --------------------------------------------------===//

LatentAttention Graph::attentionShape() const {
  LatentAttention shape{
      config.numHeads,      config.kvLoraRank,
      config.qkNopeHeadDim, config.qkRopeHeadDim,
      config.vHeadDim,      1 / std::sqrt(double(config.qkHeadDim())),
      config.rmsNormEps,    {config.qkRopeHeadDim, config.ropeTheta, config.ropeInterleaved, {}}};
  if (!config.yarn)
    return shape;
  // mscale / mscale_all_dim scales the table, mscale_all_dim squared the softmax.
  const Yarn &yarn = *config.yarn;
  double all = yarn.mscaleAllDim == 0 ? 1 : yarnScale(yarn.factor, yarn.mscaleAllDim);
  shape.softmaxScale *= all * all;
  shape.rope.yarn =
      Rope::Yarn{yarn.factor, yarn.betaFast, yarn.betaSlow,
                 yarnScale(yarn.factor, yarn.mscale) / all, yarn.originalMaxPositions};
  return shape;
}

Routing Graph::routing() const {
  Routing routing{moe::Scoring::Sigmoid, config.numExpertsPerToken};
  routing.groups = config.numGroups;
  routing.topGroups = config.topkGroups;
  routing.normalize = config.normTopkProb;
  routing.scale = config.routedScalingFactor;
  return routing;
}

LatentAttentionWeights Graph::load(const AttentionWeights &weights) {
  auto optional = [&](const std::optional<WeightRequest> &request) -> std::optional<Weight> {
    if (request)
      return graph.weight(*request);
    return std::nullopt;
  };
  return {optional(weights.q),       optional(weights.qA),      optional(weights.qANorm),
          optional(weights.qB),      graph.weight(weights.kvA), graph.weight(weights.kvANorm),
          graph.weight(weights.kvB), graph.weight(weights.o)};
}

Swiglu Graph::load(const SwigluWeights &weights) {
  return {graph.weight(weights.gate), graph.weight(weights.up), graph.weight(weights.down)};
}

Experts Graph::load(const MoeWeights &weights) {
  Experts experts{graph.weight(weights.router), graph.weight(weights.routerBias),
                  load(weights.experts), std::nullopt};
  if (weights.shared)
    experts.shared = load(*weights.shared);
  return experts;
}

//===-- The graph --------------------------------------------------------------===//

Value Graph::layer(const LayerWeights &weights, Value x, const EntryArguments &entry,
                   Value &cache) {
  Location loc = graph.location(weights.prefix);
  Location attentionLoc = graph.location(weights.prefix + ".self_attn");
  Location feedForwardLoc = graph.location(weights.prefix + ".mlp");

  Value normed = rmsNorm(graph, x, graph.weight(weights.inputNorm), config.rmsNormEps);
  Value attended = latentAttention(graph, attentionLoc, normed, entry, cache, attentionShape(),
                                   load(weights.attention));
  x = add(graph, loc, x, attended);
  normed = rmsNorm(graph, x, graph.weight(weights.postAttentionNorm), config.rmsNormEps);
  Value fed = weights.moe
                  ? routedExperts(graph, feedForwardLoc, normed, routing(), load(*weights.moe))
                  : swiglu(graph, feedForwardLoc, normed, load(*weights.dense));
  return add(graph, loc, x, fed);
}

Value Graph::embed(const WeightRequest &table, Value ids) {
  Weight weight = graph.weight(table);
  return moe::EmbeddingOp::create(graph.builder, weight.loc, graph.rows(config.hiddenSize), ids,
                                  weight.value);
}

Value Graph::logits(Value x, const EntryArguments &entry, const WeightRequest &norm,
                    const WeightRequest &head) {
  x = moe::GatherRowsOp::create(graph.builder, graph.location("output_rows"), x.getType(), x,
                                entry.outputRows);
  x = rmsNorm(graph, x, graph.weight(norm), config.rmsNormEps);
  return linear(graph, x, graph.weight(head));
}

void Graph::forward(const ModelWeights &weights) {
  EntryArguments entry =
      graph.beginEntry("forward", config.numLayers, config.kvLoraRank + config.qkRopeHeadDim);
  Value x = embed(weights.embedding, entry.ids);
  for (auto [layerWeights, cache] : llvm::zip_equal(weights.layers, entry.caches))
    x = layer(layerWeights, x, entry, cache);
  graph.endEntry(logits(x, entry, weights.norm, weights.head), entry.caches);
}

void Graph::mtp(const MtpWeights &weights) {
  EntryArguments entry =
      graph.beginEntry("mtp", 1, config.kvLoraRank + config.qkRopeHeadDim, config.hiddenSize);
  Location loc = graph.location(weights.layer.prefix);
  Value token = rmsNorm(graph, embed(weights.embedding, entry.ids),
                        graph.weight(weights.embeddingNorm), config.rmsNormEps);
  Value hidden = rmsNorm(graph, entry.hidden, graph.weight(weights.hiddenNorm), config.rmsNormEps);
  Value both = moe::ConcatOp::create(graph.builder, loc, graph.rows(2 * config.hiddenSize),
                                     ValueRange{token, hidden});
  Value x = linear(graph, both, graph.weight(weights.projection));
  x = layer(weights.layer, x, entry, entry.caches[0]);
  graph.endEntry(logits(x, entry, weights.norm, weights.head), entry.caches);
}

void Graph::annotate(const ImportOptions &options) {
  Builder &builder = graph.builder;
  bool quantizes = options.quantizeInputs.value_or(config.scheme->quantizesActivations()) &&
                   config.scheme->quantizesActivations();
  auto text = [&](StringRef key, StringRef value) {
    return builder.getNamedAttr(key, builder.getStringAttr(value));
  };
  ModuleOp module = graph.module();
  module->setAttr("moe.model_type", builder.getStringAttr("deepseek_v3"));
  module->setAttr("moe.model_name", builder.getStringAttr(options.modelName));
  module->setAttr("moe.vocab_size", builder.getI64IntegerAttr(config.vocabSize));
  module->setAttr("moe.max_context", builder.getI64IntegerAttr(config.maxPositions));
  StringRef cache = options.cacheElement == DType::BF16  ? "bf16"
                    : options.cacheElement == DType::F16 ? "f16"
                                                         : "f32";
  module->setAttr(
      "moe.numerics",
      builder.getDictionaryAttr(
          {text("weights", config.scheme->name()),
           text("activations", quantizes ? "quantized" : "exact"), text("kv_cache", cache),
           text("accumulation", "f32"), text("norms_and_softmax", "f32"),
           text("router", "sigmoid scores in f32; bias in the choice only; groups by the "
                          "sum of their two best; ties to the lower index"),
           text("rope", config.ropeInterleaved ? "interleaved" : "half")}));
}

llvm::Expected<OwningOpRef<ModuleOp>>
moec::models::deepseek_v3::importModel(MLIRContext *context, const Checkpoint &checkpoint,
                                       const ImportOptions &options) {
  auto config = readConfig(checkpoint.config(), checkpoint.configPath());
  if (!config)
    return config.takeError();
  GraphBuilder builder(context, checkpoint, *config->scheme, options);
  Graph graph(builder, *config);
  ModelWeights weights = modelWeights(*config);
  graph.annotate(options);
  graph.forward(weights);
  for (const MtpWeights &mtp : weights.mtp)
    graph.mtp(mtp);
  return builder.finish();
}
