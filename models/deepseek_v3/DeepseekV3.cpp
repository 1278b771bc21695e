// Sigmoid scores, a bias in the choice of experts, groups ranked by their two best choices, and a
// layer that predicts one token further.
#include "models/deepseek_v3/DeepseekV3.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace moec;
using namespace moec::frontend;
using namespace moec::models::deepseek_v3;

//===-- Config -----------------------------------------------------------------===//

Mixture moec::models::deepseek_v3::readMixture(ConfigReader &reader) {
  Mixture mixture;
  mixture.intermediateSize = reader.requiredInt("intermediate_size", 1, largestDim);
  mixture.moeIntermediateSize = reader.requiredInt("moe_intermediate_size", 1, largestDim);
  mixture.numExperts = reader.requiredInt("n_routed_experts", 2, 1 << 16);
  mixture.numSharedExperts = reader.nullableInt("n_shared_experts", 0, 1 << 10).value_or(0);
  mixture.firstDenseLayers = reader.requiredInt("first_k_dense_replace", 0, 1 << 12);
  mixture.moeLayerFreq = reader.optionalInt("moe_layer_freq", 1, 1, 1 << 12);
  mixture.routing.topK = reader.requiredInt("num_experts_per_tok", 1, 1 << 10);
  mixture.routing.groups = reader.optionalInt("n_group", 1, 1, 1 << 16);
  mixture.routing.topGroups = reader.optionalInt("topk_group", 1, 1, 1 << 16);
  mixture.routing.scale = reader.requiredFloat("routed_scaling_factor", 0, 1e6);
  reader.harmless({"aux_loss_alpha", "ep_size", "seq_aux"}); // of training
  return mixture;
}

void moec::models::deepseek_v3::checkGroups(ConfigReader &reader, const Mixture &mixture,
                                            int64_t leastPerGroup) {
  const Routing &routing = mixture.routing;
  int64_t perGroup = mixture.numExperts / routing.groups;
  if (mixture.numExperts % routing.groups)
    reader.fault("n_group", formatv("= {0} does not divide n_routed_experts = "
                                    "{1}",
                                    routing.groups, mixture.numExperts)
                                .str());
  else if (perGroup < leastPerGroup)
    reader.fault("n_group", formatv("= {0} leaves {1} expert in a group; a "
                                    "group's score is the sum of its two best",
                                    routing.groups, perGroup)
                                .str());
  if (routing.topGroups > routing.groups)
    reader.fault("topk_group",
                 formatv("= {0} exceeds n_group = {1}", routing.topGroups, routing.groups).str());
  else if (routing.topK > routing.topGroups * perGroup)
    reader.fault("num_experts_per_tok",
                 formatv("= {0} exceeds the {1} experts of topk_group = {2} "
                         "groups",
                         routing.topK, routing.topGroups * perGroup, routing.topGroups)
                     .str());
}

//===-- Weights ----------------------------------------------------------------===//

static Experts makeExperts(const Mixture &mixture, const std::string &prefix, int64_t hidden) {
  Experts experts;
  experts.routing = mixture.routing;
  experts.router = WeightRequest::plain(prefix + ".gate", {mixture.numExperts, hidden});
  if (mixture.hasRouterBias)
    experts.routerBias = {
        prefix + ".gate.e_score_correction_bias", {mixture.numExperts}, false, DType::F32};
  experts.experts =
      makeSwiglu(prefix + ".experts.{}", hidden, mixture.moeIntermediateSize, mixture.numExperts);
  if (mixture.numSharedExperts)
    experts.shared = makeSwiglu(prefix + ".shared_experts", hidden,
                                mixture.numSharedExperts * mixture.moeIntermediateSize);
  return experts;
}

DecoderLayer moec::models::deepseek_v3::makeLayer(const Decoder &decoder,
                                                  const LatentAttention &attention,
                                                  const Mixture &mixture, int64_t index) {
  int64_t hidden = decoder.hiddenSize;
  DecoderLayer layer = frontend::makeLayer(decoder, index);
  layer.attention = named(attention, layer.prefix + ".self_attn", hidden);
  if (mixture.isMoeLayer(index))
    layer.feedForward = makeExperts(mixture, layer.prefix + ".mlp", hidden);
  else
    layer.feedForward = makeSwiglu(layer.prefix + ".mlp", hidden, mixture.intermediateSize);
  return layer;
}

/// The next-token layer has an embedding and a head of its own, though equal to the model's.
static NextTokenLayer makeNextToken(const Decoder &decoder, DecoderLayer layer) {
  int64_t hidden = decoder.hiddenSize, vocab = decoder.vocabSize;
  NextTokenLayer next;
  const std::string &prefix = layer.prefix;
  next.embedding = WeightRequest::plain(prefix + ".embed_tokens", {vocab, hidden});
  next.embeddingNorm = WeightRequest::plain(prefix + ".enorm", {hidden});
  next.hiddenNorm = WeightRequest::plain(prefix + ".hnorm", {hidden});
  next.projection = WeightRequest::plain(prefix + ".eh_proj", {hidden, 2 * hidden});
  next.norm = WeightRequest::plain(prefix + ".shared_head.norm", {hidden});
  next.head = WeightRequest::plain(prefix + ".shared_head.head", {vocab, hidden});
  next.layer = std::move(layer);
  return next;
}

//===-- The family -------------------------------------------------------------===//

Expected<Decoder> moec::models::deepseek_v3::describe(const Json &json, StringRef file,
                                                      StringRef modelType) {
  ConfigReader reader(json, file);
  Decoder decoder = readDecoder(reader, modelType);
  LatentAttention attention = readLatentAttention(reader, decoder);
  Mixture mixture = readMixture(reader);
  mixture.hasRouterBias = true;
  mixture.routing.scoring = moe::Scoring::Sigmoid;
  mixture.routing.groupScore = moe::GroupScore::Top2Sum;
  mixture.routing.normalize = reader.requiredBool("norm_topk_prob");
  mixture.routing.epsilon = 1e-20;
  reader.optionalOneOf("scoring_func", {"sigmoid"});
  reader.optionalOneOf("topk_method", {"noaux_tc"});
  checkGroups(reader, mixture, /*leastPerGroup=*/2);
  int64_t numNextToken = reader.optionalInt("num_nextn_predict_layers", 0, 0, 1);
  if (Error error = reader.finish())
    return error;

  for (int64_t index = 0; index < decoder.numLayers; ++index)
    decoder.layers.push_back(makeLayer(decoder, attention, mixture, index));
  for (int64_t index = 0; index < numNextToken; ++index)
    decoder.nextToken.push_back(
        makeNextToken(decoder, makeLayer(decoder, attention, mixture, decoder.numLayers + index)));
  return decoder;
}

Expected<Decoder> moec::models::deepseek_v3::describe(const Json &json, StringRef file) {
  return describe(json, file, "deepseek_v3");
}
