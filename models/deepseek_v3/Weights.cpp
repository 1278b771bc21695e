#include "models/deepseek_v3/Weights.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace moec::frontend;
using namespace moec::models::deepseek_v3;

namespace {

/// Collects the tensors below one name prefix.
class Collector {
public:
  Collector(const Config &config, std::vector<WeightRequest> &all)
      : config(config), all(all) {}

  void plain(const std::string &name, SmallVector<int64_t, 4> shape) {
    all.push_back({name + ".weight", std::move(shape), false, std::nullopt});
  }
  void linear(const std::string &name, int64_t out, int64_t in) {
    all.push_back({name + ".weight", {out, in}, true, std::nullopt});
  }
  void attention(const std::string &prefix);
  void swiglu(const std::string &prefix, int64_t intermediate);
  void experts(const std::string &prefix);
  void layer(int64_t index);
  void mtpLayer(int64_t index);

private:
  const Config &config;
  std::vector<WeightRequest> &all;
};

} // namespace

static std::string layerName(int64_t index) {
  return formatv("model.layers.{0}.", index).str();
}

void Collector::attention(const std::string &prefix) {
  int64_t hidden = config.hiddenSize, heads = config.numHeads;
  int64_t queries = heads * config.qkHeadDim();
  if (config.qLoraRank) {
    linear(prefix + "q_a_proj", *config.qLoraRank, hidden);
    plain(prefix + "q_a_layernorm", {*config.qLoraRank});
    linear(prefix + "q_b_proj", queries, *config.qLoraRank);
  } else {
    linear(prefix + "q_proj", queries, hidden);
  }
  linear(prefix + "kv_a_proj_with_mqa",
         config.kvLoraRank + config.qkRopeHeadDim, hidden);
  plain(prefix + "kv_a_layernorm", {config.kvLoraRank});
  linear(prefix + "kv_b_proj", heads * (config.qkNopeHeadDim + config.vHeadDim),
         config.kvLoraRank);
  linear(prefix + "o_proj", hidden, heads * config.vHeadDim);
}

void Collector::swiglu(const std::string &prefix, int64_t intermediate) {
  linear(prefix + "gate_proj", intermediate, config.hiddenSize);
  linear(prefix + "up_proj", intermediate, config.hiddenSize);
  linear(prefix + "down_proj", config.hiddenSize, intermediate);
}

void Collector::experts(const std::string &prefix) {
  plain(prefix + "gate", {config.numExperts, config.hiddenSize});
  all.push_back({prefix + "gate.e_score_correction_bias",
                 {config.numExperts},
                 false,
                 DType::F32});
  for (int64_t expert = 0; expert < config.numExperts; ++expert)
    swiglu(formatv("{0}experts.{1}.", prefix, expert),
           config.moeIntermediateSize);
  if (config.numSharedExperts)
    swiglu(prefix + "shared_experts.",
           config.numSharedExperts * config.moeIntermediateSize);
}

void Collector::layer(int64_t index) {
  std::string prefix = layerName(index);
  plain(prefix + "input_layernorm", {config.hiddenSize});
  attention(prefix + "self_attn.");
  plain(prefix + "post_attention_layernorm", {config.hiddenSize});
  if (config.isMoeLayer(index))
    experts(prefix + "mlp.");
  else
    swiglu(prefix + "mlp.", config.intermediateSize);
}

void Collector::mtpLayer(int64_t index) {
  std::string prefix = layerName(index);
  int64_t hidden = config.hiddenSize;
  plain(prefix + "embed_tokens", {config.vocabSize, hidden});
  plain(prefix + "enorm", {hidden});
  plain(prefix + "hnorm", {hidden});
  plain(prefix + "eh_proj", {hidden, 2 * hidden});
  layer(index);
  plain(prefix + "shared_head.norm", {hidden});
  plain(prefix + "shared_head.head", {config.vocabSize, hidden});
}

std::vector<WeightRequest>
moec::models::deepseek_v3::listWeights(const Config &config) {
  std::vector<WeightRequest> all;
  Collector collect(config, all);
  collect.plain("model.embed_tokens", {config.vocabSize, config.hiddenSize});
  for (int64_t index = 0; index < config.numLayers; ++index)
    collect.layer(index);
  collect.plain("model.norm", {config.hiddenSize});
  if (!config.tieWordEmbeddings)
    collect.plain("lm_head", {config.vocabSize, config.hiddenSize});
  for (int64_t index = 0; index < config.numMtpLayers; ++index)
    collect.mtpLayer(config.numLayers + index);
  return all;
}
