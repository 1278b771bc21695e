#include "models/deepseek_v3/Config.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace moec::frontend;
using namespace moec::models::deepseek_v3;

// Far past any model, and every product of a weight's sizes stays in 63 bits.
static constexpr int64_t maxDim = 1 << 20;

/// `rope_scaling`: null, or yarn.
static std::optional<Yarn> readYarn(ConfigReader &rope) {
  StringRef typeKey = rope.has("rope_type") ? "rope_type" : "type";
  std::string type = rope.requiredOneOf(typeKey, {"default", "yarn"});
  if (rope.has("rope_type") && rope.has("type"))
    rope.requiredOneOf("type", {StringRef(type)});
  if (type == "default")
    return std::nullopt;
  Yarn yarn;
  yarn.factor = rope.requiredFloat("factor", 1, 1e6);
  yarn.betaFast = rope.optionalFloat("beta_fast", 32, 1e-6, 1e6);
  yarn.betaSlow = rope.optionalFloat("beta_slow", 1, 1e-6, 1e6);
  if (yarn.betaFast <= yarn.betaSlow)
    rope.fault("beta_fast", "must exceed beta_slow");
  yarn.mscale = rope.optionalFloat("mscale", 1, 0, 1e3);
  yarn.mscaleAllDim = rope.optionalFloat("mscale_all_dim", 0, 0, 1e3);
  yarn.originalMaxPositions = rope.requiredInt("original_max_position_embeddings", 1, 1 << 30);
  if (yarn.mscaleAllDim == 0 && yarn.mscale != 1)
    rope.fault("mscale", "differs from 1 while mscale_all_dim is 0 or absent; "
                         "published implementations disagree on what that "
                         "means");
  return yarn;
}

static void readAttention(ConfigReader &reader, Config &config) {
  config.numHeads = reader.requiredInt("num_attention_heads", 1, 1 << 16);
  if (reader.optionalInt("num_key_value_heads", config.numHeads, 1, 1 << 16) != config.numHeads)
    reader.unsupported("num_key_value_heads",
                       formatv("{0}, num_attention_heads", config.numHeads).str());
  config.qLoraRank = reader.nullableInt("q_lora_rank", 1, maxDim);
  config.kvLoraRank = reader.requiredInt("kv_lora_rank", 1, maxDim);
  config.qkNopeHeadDim = reader.requiredInt("qk_nope_head_dim", 1, 1 << 16);
  config.qkRopeHeadDim = reader.requiredInt("qk_rope_head_dim", 2, 1 << 16);
  config.vHeadDim = reader.requiredInt("v_head_dim", 1, 1 << 16);
  if (config.qkRopeHeadDim % 2)
    reader.unsupported("qk_rope_head_dim", "even numbers");
  if (reader.optionalBool("attention_bias", false))
    reader.unsupported("attention_bias", "false");
  // Derived values that some files repeat.
  if (reader.optionalInt("qk_head_dim", config.qkHeadDim(), 1, 1 << 17) != config.qkHeadDim())
    reader.unsupported("qk_head_dim", "qk_nope_head_dim + qk_rope_head_dim");
  if (reader.optionalInt("head_dim", config.qkRopeHeadDim, 1, 1 << 17) != config.qkRopeHeadDim)
    reader.unsupported("head_dim", "qk_rope_head_dim");

  config.ropeInterleaved = reader.optionalBool("rope_interleave", true);
  double theta = reader.optionalFloat("rope_theta", 10000, 1e-3, 1e12);
  StringRef key = reader.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  reader.harmless({"rope_parameters", "rope_scaling"}); // null, or read here
  if (reader.has("rope_parameters") && reader.has("rope_scaling"))
    reader.fault("rope_parameters", "is given beside rope_scaling; keep one");
  if (ConfigReader *rope = reader.optionalObject(key)) {
    theta = rope->optionalFloat("rope_theta", theta, 1e-3, 1e12);
    config.yarn = readYarn(*rope);
  }
  config.ropeTheta = theta;
}

static void checkRouting(ConfigReader &reader, const Config &config) {
  int64_t perGroup = config.numExperts / config.numGroups;
  if (config.numExperts % config.numGroups)
    reader.fault("n_group", formatv("= {0} does not divide n_routed_experts = "
                                    "{1}",
                                    config.numGroups, config.numExperts)
                                .str());
  else if (perGroup < 2)
    reader.fault("n_group", formatv("= {0} leaves {1} expert in a group; a "
                                    "group's score is the sum of its two best",
                                    config.numGroups, perGroup)
                                .str());
  if (config.topkGroups > config.numGroups)
    reader.fault("topk_group",
                 formatv("= {0} exceeds n_group = {1}", config.topkGroups, config.numGroups).str());
  else if (config.numExpertsPerToken > config.topkGroups * perGroup)
    reader.fault("num_experts_per_tok",
                 formatv("= {0} exceeds the {1} experts of topk_group = {2} "
                         "groups",
                         config.numExpertsPerToken, config.topkGroups * perGroup, config.topkGroups)
                     .str());
}

static void readFeedForward(ConfigReader &reader, Config &config) {
  reader.optionalOneOf("hidden_act", {"silu"});
  config.intermediateSize = reader.requiredInt("intermediate_size", 1, maxDim);
  config.moeIntermediateSize = reader.requiredInt("moe_intermediate_size", 1, maxDim);
  config.numExperts = reader.requiredInt("n_routed_experts", 2, 1 << 16);
  config.numSharedExperts = reader.nullableInt("n_shared_experts", 0, 1 << 10).value_or(0);
  config.numExpertsPerToken = reader.requiredInt("num_experts_per_tok", 1, 1 << 10);
  config.numGroups = reader.optionalInt("n_group", 1, 1, 1 << 16);
  config.topkGroups = reader.optionalInt("topk_group", 1, 1, 1 << 16);
  config.normTopkProb = reader.requiredBool("norm_topk_prob");
  config.routedScalingFactor = reader.requiredFloat("routed_scaling_factor", 0, 1e6);
  reader.optionalOneOf("scoring_func", {"sigmoid"});
  reader.optionalOneOf("topk_method", {"noaux_tc"});
  config.firstDenseLayers = reader.requiredInt("first_k_dense_replace", 0, 1 << 12);
  config.moeLayerFreq = reader.optionalInt("moe_layer_freq", 1, 1, 1 << 12);
  checkRouting(reader, config);
}

Expected<Config> moec::models::deepseek_v3::readConfig(const Json &json, StringRef file) {
  ConfigReader reader(json, file);
  Config config;
  reader.requiredOneOf("model_type", {"deepseek_v3"});
  config.vocabSize = reader.requiredInt("vocab_size", 1, maxDim);
  config.hiddenSize = reader.requiredInt("hidden_size", 1, maxDim);
  config.numLayers = reader.requiredInt("num_hidden_layers", 1, 1 << 12);
  config.maxPositions = reader.requiredInt("max_position_embeddings", 1, 1 << 30);
  config.numMtpLayers = reader.optionalInt("num_nextn_predict_layers", 0, 0, 1);
  config.rmsNormEps = reader.requiredFloat("rms_norm_eps", 0, 1);
  config.tieWordEmbeddings = reader.optionalBool("tie_word_embeddings", false);
  config.bosTokens = reader.optionalIntOrList("bos_token_id", 0, config.vocabSize - 1);
  config.eosTokens = reader.optionalIntOrList("eos_token_id", 0, config.vocabSize - 1);
  readAttention(reader, config);
  readFeedForward(reader, config);
  config.scheme = readQuantScheme(reader);
  if (reader.optionalInt("pretraining_tp", 1, 1, 1 << 20) != 1)
    reader.unsupported("pretraining_tp", "1");
  // How the model was trained, stored or is served: nothing of its meaning.
  reader.harmless({"architectures", "attention_dropout", "auto_map", "aux_loss_alpha", "ep_size",
                   "initializer_range", "pad_token_id", "seq_aux", "transformers_version",
                   "use_cache", "_name_or_path"});
  if (Error error = reader.finish())
    return error;
  return config;
}
