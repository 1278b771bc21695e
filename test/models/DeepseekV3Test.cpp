// Every key of the family that is refused, with the message it gets.
#include "test/models/FamilyConfig.h"

using namespace moec;
using namespace moec::frontend;
using namespace moec::frontend::test;
using namespace moec::models::test;

static const FamilyConfig base("deepseek_v3");

TEST(DeepseekV3Config, ReadsTheGolden) {
  Decoder decoder = valueOf(base.describe());
  const auto &attention = attentionOf<LatentAttention>(decoder);
  EXPECT_EQ(attention.queryRank, 64);
  EXPECT_EQ(attention.nopeDim + attention.ropeDim, 48);
  EXPECT_TRUE(attention.rope.interleaved);
  const auto &yarn = std::get<Yarn>(attention.rope.scaling);
  EXPECT_EQ(yarn.factor, 40);
  EXPECT_EQ(yarn.mscaleAllDim, 1);
  EXPECT_FALSE(expertsOf(decoder, 0));
  const Experts *experts = expertsOf(decoder, 1);
  ASSERT_TRUE(experts);
  EXPECT_EQ(experts->routing.groups, 4);
  EXPECT_EQ(experts->routing.scale, 2.5);
  EXPECT_EQ(experts->routing.epsilon, 1e-20);
  EXPECT_TRUE(experts->routerBias);
}

TEST(DeepseekV3Config, AcceptsOtherSpellings) {
  EXPECT_EQ(base.with("q_lora_rank", nullptr), "(no error)");
  EXPECT_EQ(base.with("rope_scaling", nullptr), "(no error)");
  EXPECT_EQ(base.with("num_nextn_predict_layers", 1), "(no error)");
  EXPECT_EQ(base.with("n_shared_experts", nullptr), "(no error)");
  EXPECT_EQ(base.with("moe_layer_freq", 2), "(no error)");
  EXPECT_EQ(base.with("tie_word_embeddings", true), "(no error)");
  EXPECT_EQ(base.with("head_dim", 16), "(no error)");
  EXPECT_EQ(base.with("eos_token_id", {1, 2}), "(no error)");
  EXPECT_EQ(base.withRope("beta_fast", 1), "(no error)");
  FamilyConfig newer = base;
  newer.json["rope_parameters"] = newer.json["rope_scaling"];
  newer.json["rope_parameters"]["rope_type"] = "yarn";
  newer.json["rope_parameters"]["rope_theta"] = 5000;
  newer.json.erase("rope_scaling");
  Decoder decoder = valueOf(newer.describe());
  EXPECT_EQ(attentionOf<LatentAttention>(decoder).rope.theta, 5000);
}

TEST(DeepseekV3Config, RefusesWhatItDoesNotCompute) {
  EXPECT_HAS(base.with("attention_bias", true),
             "key 'attention_bias' has the unsupported value true; supported: "
             "false");
  EXPECT_HAS(base.with("hidden_act", "gelu"),
             "'hidden_act' has the unsupported value \"gelu\"; supported: silu");
  EXPECT_HAS(base.with("scoring_func", "softmax"), "supported: sigmoid");
  EXPECT_HAS(base.with("topk_method", "greedy"), "supported: noaux_tc");
  EXPECT_HAS(base.with("num_key_value_heads", 2),
             "'num_key_value_heads' has the unsupported value 2; supported: 4");
  EXPECT_HAS(base.with("pretraining_tp", 2), "supported: 1");
  EXPECT_HAS(base.with("qk_rope_head_dim", 15), "supported: even numbers");
  EXPECT_HAS(base.with("head_dim", 128), "supported: qk_rope_head_dim");
  EXPECT_HAS(base.with("qk_head_dim", 7), "supported: qk_nope_head_dim + qk_rope_head_dim");
  EXPECT_HAS(base.with("num_nextn_predict_layers", 2), "must be an integer from 0 to 1, found 2");
  EXPECT_HAS(errorOf(models::modelFamilies()[1].describe(FamilyConfig("llama3").json, "c")),
             "'model_type' has the unsupported value \"llama\"; supported: deepseek_v3");
  EXPECT_HAS(base.with("index_topk", 2048), "unknown config key 'index_topk'");
  EXPECT_HAS(base.with("eos_token_id", 512), "from 0 to 511, found 512");
}

TEST(DeepseekV3Config, RefusesOtherRopes) {
  EXPECT_HAS(base.withRope("type", "linear"),
             "'rope_scaling.type' has the unsupported value \"linear\"; "
             "supported: default, yarn");
  EXPECT_HAS(base.withRope("rope_type", "default"),
             "'rope_scaling.type' has the unsupported value \"yarn\"; "
             "supported: default");
  EXPECT_HAS(base.withRope("factor", "4"), "'rope_scaling.factor' must be a number");
  EXPECT_HAS(base.withRope("beta_fast", 0.5),
             "'rope_scaling.beta_fast' must be at least beta_slow");
  EXPECT_HAS(base.withRope("attention_factor", 2),
             "unknown config key 'rope_scaling.attention_factor'");
  EXPECT_HAS(base.withRope("original_max_position_embeddings", nullptr),
             "must be an integer from 1");
  Json yarn = base.json["rope_scaling"];
  yarn["mscale"] = 0.7;
  yarn["mscale_all_dim"] = 0;
  EXPECT_HAS(base.with("rope_scaling", yarn),
             "'rope_scaling.mscale' differs from 1 while mscale_all_dim is 0");
  EXPECT_HAS(base.with("rope_parameters", yarn), "is given beside rope_scaling");
}

TEST(DeepseekV3Config, RefusesContradictionsInRouting) {
  EXPECT_HAS(base.with("n_group", 3), "'n_group' = 3 does not divide n_routed_experts = 16");
  EXPECT_HAS(base.with("n_group", 16), "leaves 1 expert in a group");
  EXPECT_HAS(base.with("topk_group", 5), "'topk_group' = 5 exceeds n_group = 4");
  EXPECT_HAS(base.with("num_experts_per_tok", 9),
             "'num_experts_per_tok' = 9 exceeds the 8 experts of topk_group = "
             "2 groups");
}

TEST(DeepseekV3Config, MissingKeysAreNamed) {
  base.expectRequired({"vocab_size", "hidden_size", "num_hidden_layers", "kv_lora_rank",
                       "rms_norm_eps", "norm_topk_prob", "routed_scaling_factor",
                       "n_routed_experts", "first_k_dense_replace", "num_experts_per_tok",
                       "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "intermediate_size",
                       "moe_intermediate_size", "num_attention_heads", "max_position_embeddings"});
}
