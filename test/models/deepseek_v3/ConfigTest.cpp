// Every key of the family that is refused, with the message it gets.
#include "models/deepseek_v3/Config.h"
#include "test/frontend/TestFiles.h"

using namespace moec::frontend;
using namespace moec::frontend::test;
using namespace moec::models::deepseek_v3;

static Json goldenConfig() {
  std::string path = golden("deepseek_v3/config.json");
  return valueOf(parseJson(valueOf(readTextFile(path, 1 << 20)), path));
}

/// The error of the golden's config with one key changed.
static std::string with(const char *key, Json value) {
  Json json = goldenConfig();
  json[key] = std::move(value);
  return errorOf(readConfig(json, "config.json"));
}

static std::string withYarn(const char *key, Json value) {
  Json json = goldenConfig();
  json["rope_scaling"][key] = std::move(value);
  return errorOf(readConfig(json, "config.json"));
}

TEST(DeepseekV3Config, ReadsTheGolden) {
  Config config = valueOf(readConfig(goldenConfig(), "config.json"));
  EXPECT_EQ(config.qLoraRank, 64);
  EXPECT_EQ(config.qkHeadDim(), 48);
  EXPECT_EQ(config.numGroups, 4);
  EXPECT_EQ(config.routedScalingFactor, 2.5);
  EXPECT_EQ(config.yarn->factor, 40);
  EXPECT_EQ(config.yarn->mscaleAllDim, 1);
  EXPECT_TRUE(config.ropeInterleaved);
  EXPECT_FALSE(config.isMoeLayer(0));
  EXPECT_TRUE(config.isMoeLayer(1));
  EXPECT_EQ(config.eosTokens, std::vector<int64_t>{1});
}

TEST(DeepseekV3Config, AcceptsOtherSpellings) {
  EXPECT_EQ(with("q_lora_rank", nullptr), "(no error)");
  EXPECT_EQ(with("rope_scaling", nullptr), "(no error)");
  EXPECT_EQ(with("num_nextn_predict_layers", 1), "(no error)");
  EXPECT_EQ(with("n_shared_experts", nullptr), "(no error)");
  EXPECT_EQ(with("moe_layer_freq", 2), "(no error)");
  EXPECT_EQ(with("tie_word_embeddings", true), "(no error)");
  EXPECT_EQ(with("head_dim", 16), "(no error)");
  EXPECT_EQ(with("eos_token_id", {1, 2}), "(no error)");
  Json json = goldenConfig();
  json["rope_parameters"] = json["rope_scaling"];
  json["rope_parameters"]["rope_type"] = "yarn";
  json["rope_parameters"]["rope_theta"] = 5000;
  json.erase("rope_scaling");
  EXPECT_EQ(valueOf(readConfig(json, "c")).ropeTheta, 5000);
}

TEST(DeepseekV3Config, RefusesWhatItDoesNotCompute) {
  EXPECT_HAS(with("attention_bias", true),
             "key 'attention_bias' has the unsupported value true; supported: "
             "false");
  EXPECT_HAS(with("hidden_act", "gelu"),
             "'hidden_act' has the unsupported value \"gelu\"; supported: silu");
  EXPECT_HAS(with("scoring_func", "softmax"), "supported: sigmoid");
  EXPECT_HAS(with("topk_method", "greedy"), "supported: noaux_tc");
  EXPECT_HAS(with("num_key_value_heads", 2),
             "'num_key_value_heads' has the unsupported value 2; supported: 4");
  EXPECT_HAS(with("pretraining_tp", 2), "supported: 1");
  EXPECT_HAS(with("qk_rope_head_dim", 15), "supported: even numbers");
  EXPECT_HAS(with("head_dim", 128), "supported: qk_rope_head_dim");
  EXPECT_HAS(with("qk_head_dim", 7), "supported: qk_nope_head_dim + qk_rope_head_dim");
  EXPECT_HAS(with("num_nextn_predict_layers", 2), "must be an integer from 0 to 1, found 2");
  EXPECT_HAS(with("model_type", "deepseek_v4"), "supported: deepseek_v3");
  EXPECT_HAS(with("index_topk", 2048), "unknown config key 'index_topk'");
  EXPECT_HAS(with("eos_token_id", 512), "from 0 to 511, found 512");
}

TEST(DeepseekV3Config, RefusesOtherRopes) {
  EXPECT_HAS(withYarn("type", "linear"),
             "'rope_scaling.type' has the unsupported value \"linear\"; "
             "supported: default, yarn");
  EXPECT_HAS(withYarn("rope_type", "default"),
             "'rope_scaling.type' has the unsupported value \"yarn\"; "
             "supported: default");
  EXPECT_HAS(withYarn("factor", "4"), "'rope_scaling.factor' must be a number");
  EXPECT_HAS(withYarn("beta_fast", 1), "'rope_scaling.beta_fast' must exceed beta_slow");
  EXPECT_HAS(withYarn("attention_factor", 2), "unknown config key 'rope_scaling.attention_factor'");
  EXPECT_HAS(withYarn("original_max_position_embeddings", nullptr), "must be an integer from 1");
  Json yarn = goldenConfig()["rope_scaling"];
  yarn["mscale"] = 0.7;
  yarn["mscale_all_dim"] = 0;
  EXPECT_HAS(with("rope_scaling", yarn),
             "'rope_scaling.mscale' differs from 1 while mscale_all_dim is 0");
  EXPECT_HAS(with("rope_parameters", yarn), "is given beside rope_scaling");
}

TEST(DeepseekV3Config, RefusesContradictionsInRouting) {
  EXPECT_HAS(with("n_group", 3), "'n_group' = 3 does not divide n_routed_experts = 16");
  EXPECT_HAS(with("n_group", 16), "leaves 1 expert in a group");
  EXPECT_HAS(with("topk_group", 5), "'topk_group' = 5 exceeds n_group = 4");
  EXPECT_HAS(with("num_experts_per_tok", 9),
             "'num_experts_per_tok' = 9 exceeds the 8 experts of topk_group = "
             "2 groups");
}

TEST(DeepseekV3Config, MissingKeysAreNamed) {
  for (const char *key :
       {"vocab_size", "hidden_size", "num_hidden_layers", "kv_lora_rank", "rms_norm_eps",
        "norm_topk_prob", "routed_scaling_factor", "n_routed_experts", "first_k_dense_replace",
        "num_experts_per_tok", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim",
        "intermediate_size", "moe_intermediate_size", "num_attention_heads",
        "max_position_embeddings"}) {
    Json json = goldenConfig();
    json.erase(key);
    EXPECT_HAS(errorOf(readConfig(json, "config.json")),
               "'config.json': key '" + std::string(key) + "' is missing");
  }
}
