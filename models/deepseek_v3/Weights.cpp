#include "models/deepseek_v3/Weights.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace moec::frontend;
using namespace moec::models::deepseek_v3;

static WeightRequest plain(const std::string &name, SmallVector<int64_t, 4> shape) {
  return {name + ".weight", std::move(shape), /*quantizable=*/false};
}

static WeightRequest linear(const std::string &name, int64_t out, int64_t in, int64_t count = 0) {
  return {name + ".weight", {out, in}, /*quantizable=*/true, std::nullopt, count};
}

static AttentionWeights attentionWeights(const Config &config, const std::string &prefix) {
  int64_t hidden = config.hiddenSize, heads = config.numHeads;
  int64_t queries = heads * config.qkHeadDim();
  AttentionWeights weights;
  if (config.qLoraRank) {
    weights.qA = linear(prefix + ".q_a_proj", *config.qLoraRank, hidden);
    weights.qANorm = plain(prefix + ".q_a_layernorm", {*config.qLoraRank});
    weights.qB = linear(prefix + ".q_b_proj", queries, *config.qLoraRank);
  } else {
    weights.q = linear(prefix + ".q_proj", queries, hidden);
  }
  weights.kvA =
      linear(prefix + ".kv_a_proj_with_mqa", config.kvLoraRank + config.qkRopeHeadDim, hidden);
  weights.kvANorm = plain(prefix + ".kv_a_layernorm", {config.kvLoraRank});
  weights.kvB = linear(prefix + ".kv_b_proj", heads * (config.qkNopeHeadDim + config.vHeadDim),
                       config.kvLoraRank);
  weights.o = linear(prefix + ".o_proj", hidden, heads * config.vHeadDim);
  return weights;
}

static SwigluWeights swigluWeights(const Config &config, const std::string &prefix,
                                   int64_t intermediate, int64_t count = 0) {
  int64_t hidden = config.hiddenSize;
  return {linear(prefix + ".gate_proj", intermediate, hidden, count),
          linear(prefix + ".up_proj", intermediate, hidden, count),
          linear(prefix + ".down_proj", hidden, intermediate, count)};
}

static MoeWeights moeWeights(const Config &config, const std::string &prefix) {
  MoeWeights weights;
  weights.router = plain(prefix + ".gate", {config.numExperts, config.hiddenSize});
  weights.routerBias = {
      prefix + ".gate.e_score_correction_bias", {config.numExperts}, false, DType::F32};
  weights.experts =
      swigluWeights(config, prefix + ".experts.{}", config.moeIntermediateSize, config.numExperts);
  if (config.numSharedExperts)
    weights.shared = swigluWeights(config, prefix + ".shared_experts",
                                   config.numSharedExperts * config.moeIntermediateSize);
  return weights;
}

static LayerWeights layerWeights(const Config &config, int64_t index) {
  LayerWeights weights;
  weights.prefix = formatv("model.layers.{0}", index).str();
  const std::string &prefix = weights.prefix;
  weights.inputNorm = plain(prefix + ".input_layernorm", {config.hiddenSize});
  weights.attention = attentionWeights(config, prefix + ".self_attn");
  weights.postAttentionNorm = plain(prefix + ".post_attention_layernorm", {config.hiddenSize});
  if (config.isMoeLayer(index))
    weights.moe = moeWeights(config, prefix + ".mlp");
  else
    weights.dense = swigluWeights(config, prefix + ".mlp", config.intermediateSize);
  return weights;
}

static MtpWeights mtpWeights(const Config &config, int64_t index) {
  int64_t hidden = config.hiddenSize, vocab = config.vocabSize;
  MtpWeights weights;
  weights.layer = layerWeights(config, index);
  const std::string &prefix = weights.layer.prefix;
  weights.embedding = plain(prefix + ".embed_tokens", {vocab, hidden});
  weights.embeddingNorm = plain(prefix + ".enorm", {hidden});
  weights.hiddenNorm = plain(prefix + ".hnorm", {hidden});
  weights.projection = plain(prefix + ".eh_proj", {hidden, 2 * hidden});
  weights.norm = plain(prefix + ".shared_head.norm", {hidden});
  weights.head = plain(prefix + ".shared_head.head", {vocab, hidden});
  return weights;
}

ModelWeights moec::models::deepseek_v3::modelWeights(const Config &config) {
  ModelWeights weights;
  weights.embedding = plain("model.embed_tokens", {config.vocabSize, config.hiddenSize});
  for (int64_t index = 0; index < config.numLayers; ++index)
    weights.layers.push_back(layerWeights(config, index));
  weights.norm = plain("model.norm", {config.hiddenSize});
  weights.head = config.tieWordEmbeddings ? weights.embedding
                                          : plain("lm_head", {config.vocabSize, config.hiddenSize});
  for (int64_t index = 0; index < config.numMtpLayers; ++index)
    weights.mtp.push_back(mtpWeights(config, config.numLayers + index));
  return weights;
}

//===-- The flat list ----------------------------------------------------------===//

namespace {
struct Flattener {
  std::vector<WeightRequest> all;

  void add(const WeightRequest &request) { append_range(all, request.expand()); }
  void add(const std::optional<WeightRequest> &request) {
    if (request)
      add(*request);
  }
  void add(const AttentionWeights &weights) {
    for (const auto *request : {&weights.q, &weights.qA, &weights.qANorm, &weights.qB})
      add(*request);
    for (const auto *request : {&weights.kvA, &weights.kvANorm, &weights.kvB, &weights.o})
      add(*request);
  }
  void add(const SwigluWeights &weights) {
    for (const auto *request : {&weights.gate, &weights.up, &weights.down})
      add(*request);
  }
  void add(const LayerWeights &weights) {
    add(weights.inputNorm);
    add(weights.attention);
    add(weights.postAttentionNorm);
    if (weights.dense)
      add(*weights.dense);
    if (!weights.moe)
      return;
    add(weights.moe->router);
    add(weights.moe->routerBias);
    add(weights.moe->experts);
    if (weights.moe->shared)
      add(*weights.moe->shared);
  }
};
} // namespace

std::vector<WeightRequest> moec::models::deepseek_v3::listWeights(const Config &config) {
  ModelWeights weights = modelWeights(config);
  Flattener list;
  list.add(weights.embedding);
  for (const LayerWeights &layer : weights.layers)
    list.add(layer);
  list.add(weights.norm);
  if (!config.tieWordEmbeddings)
    list.add(weights.head);
  for (const MtpWeights &mtp : weights.mtp) {
    for (const auto *request :
         {&mtp.embedding, &mtp.embeddingNorm, &mtp.hiddenNorm, &mtp.projection})
      list.add(*request);
    list.add(mtp.layer);
    list.add(mtp.norm);
    list.add(mtp.head);
  }
  return std::move(list.all);
}
