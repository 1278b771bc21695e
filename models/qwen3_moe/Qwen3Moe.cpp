// Grouped-query attention whose queries and keys are normed head by head before the rope; softmax
// routing, the weights of the chosen experts made to sum to 1 where the config says so (no
// epsilon).
#include "models/qwen3_moe/Qwen3Moe.h"
#include "frontend/decoder/ReadDecoder.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace moec::frontend;

namespace {
struct Mixture {
  int64_t intermediate, expertIntermediate; // of a dense layer, and of one expert
  int64_t numExperts, step;                 // each `step`th layer routes
  std::vector<int64_t> denseLayers;         // these never do
  Routing routing;

  bool routes(int64_t layer) const {
    return (layer + 1) % step == 0 && !is_contained(denseLayers, layer);
  }
};
} // namespace

static Mixture readMixture(ConfigReader &reader, const Decoder &decoder) {
  Mixture mixture;
  mixture.intermediate = reader.requiredInt("intermediate_size", 1, largestDim);
  mixture.expertIntermediate = reader.requiredInt("moe_intermediate_size", 1, largestDim);
  mixture.numExperts = reader.requiredInt("num_experts", 1, 1 << 16);
  mixture.step = reader.optionalInt("decoder_sparse_step", 1, 1, 1 << 12);
  mixture.denseLayers = reader.optionalIntOrList("mlp_only_layers", 0, decoder.numLayers - 1);
  mixture.routing.topK = reader.requiredInt("num_experts_per_tok", 1, mixture.numExperts);
  mixture.routing.normalize = reader.requiredBool("norm_topk_prob");
  reader.harmless({"output_router_logits", "router_aux_loss_coef"});
  return mixture;
}

static Experts makeExperts(const Mixture &mixture, const std::string &prefix, int64_t hidden) {
  Experts experts;
  experts.routing = mixture.routing;
  experts.router = WeightRequest::plain(prefix + ".gate", {mixture.numExperts, hidden});
  experts.experts =
      makeSwiglu(prefix + ".experts.{}", hidden, mixture.expertIntermediate, mixture.numExperts);
  return experts;
}

Expected<Decoder> moec::models::qwen3_moe::describe(const Json &json, StringRef file) {
  ConfigReader reader(json, file);
  Decoder decoder = readDecoder(reader, "qwen3_moe");
  GroupedQueryAttention attention = readGroupedQueryAttention(reader, decoder, {"default"});
  Mixture mixture = readMixture(reader, decoder);
  refuseSlidingWindow(reader, /*hasSwitch=*/true);
  if (Error error = reader.finish())
    return error;

  for (int64_t index = 0; index < decoder.numLayers; ++index) {
    DecoderLayer layer = makeLayer(decoder, index);
    std::string prefix = layer.prefix + ".self_attn";
    GroupedQueryAttention normed = named(attention, prefix, decoder.hiddenSize);
    normed.qNorm = WeightRequest::plain(prefix + ".q_norm", {attention.headDim});
    normed.kNorm = WeightRequest::plain(prefix + ".k_norm", {attention.headDim});
    layer.attention = std::move(normed);
    if (mixture.routes(index))
      layer.feedForward = makeExperts(mixture, layer.prefix + ".mlp", decoder.hiddenSize);
    else
      layer.feedForward =
          makeSwiglu(layer.prefix + ".mlp", decoder.hiddenSize, mixture.intermediate);
    decoder.layers.push_back(std::move(layer));
  }
  return decoder;
}
