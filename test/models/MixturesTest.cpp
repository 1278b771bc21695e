// Mixtures of experts over grouped-query attention, and Kimi K2: what they read, and every key that
// is refused.
#include "test/models/FamilyConfig.h"

using namespace moec;
using namespace moec::frontend;
using namespace moec::frontend::test;
using namespace moec::models::test;

static const FamilyConfig qwen3("qwen3_moe"), mixtral("mixtral");

TEST(Qwen3MoeConfig, ReadsTheGolden) {
  Decoder decoder = valueOf(qwen3.describe());
  const auto &attention = attentionOf<GroupedQueryAttention>(decoder);
  EXPECT_EQ(attention.qNorm->shape[0], 32);
  EXPECT_EQ(attention.kNorm->name, "model.layers.0.self_attn.k_norm.weight");
  EXPECT_FALSE(attention.q.bias);
  const Experts *experts = expertsOf(decoder, 0);
  ASSERT_TRUE(experts);
  EXPECT_EQ(experts->routing.scoring, moe::Scoring::Softmax);
  EXPECT_TRUE(experts->routing.normalize);
  EXPECT_EQ(experts->routing.epsilon, 0);
  EXPECT_FALSE(experts->routerBias);
  EXPECT_FALSE(experts->shared);
}

TEST(Qwen3MoeConfig, SomeLayersMayBeDense) {
  FamilyConfig other = qwen3;
  other.json["num_hidden_layers"] = 4;
  other.json["decoder_sparse_step"] = 2; // layers 1 and 3
  other.json["mlp_only_layers"] = {3};
  other.json["norm_topk_prob"] = false;
  Decoder decoder = valueOf(other.describe());
  for (size_t layer : {0, 2, 3})
    EXPECT_FALSE(expertsOf(decoder, layer)) << layer;
  ASSERT_TRUE(expertsOf(decoder, 1));
  EXPECT_FALSE(expertsOf(decoder, 1)->routing.normalize);
}

TEST(Qwen3MoeConfig, RefusesWhatItDoesNotCompute) {
  EXPECT_HAS(qwen3.with("attention_bias", true), "'attention_bias' has the unsupported value");
  EXPECT_HAS(qwen3.with("use_sliding_window", true), "supported: false");
  EXPECT_HAS(qwen3.with("hidden_act", "gelu"), "supported: silu");
  EXPECT_HAS(qwen3.with("num_experts_per_tok", 9), "must be an integer from 1 to 8, found 9");
  EXPECT_HAS(qwen3.with("mlp_only_layers", {2}), "must be an integer from 0 to 1, found 2");
  EXPECT_HAS(qwen3.with("rope_scaling", {{"rope_type", "yarn"}}), "supported: default");
  EXPECT_HAS(qwen3.with("shared_expert_intermediate_size", 64), "unknown config key");
  qwen3.expectRequired({"num_experts", "num_experts_per_tok", "moe_intermediate_size",
                        "norm_topk_prob", "intermediate_size"});
}

TEST(MixtralConfig, ReadsTheGolden) {
  Decoder decoder = valueOf(mixtral.describe());
  const Experts *experts = expertsOf(decoder, 0);
  ASSERT_TRUE(experts);
  EXPECT_TRUE(experts->routing.normalize);
  EXPECT_EQ(experts->routing.epsilon, 0);
  // w1 gates, w3 is gated, w2 goes back.
  EXPECT_EQ(experts->experts.gate.name, "model.layers.0.block_sparse_moe.experts.{}.w1.weight");
  EXPECT_EQ(experts->experts.up.name, "model.layers.0.block_sparse_moe.experts.{}.w3.weight");
  EXPECT_EQ(experts->experts.down.shape, (llvm::SmallVector<int64_t, 4>{128, 64}));
}

TEST(MixtralConfig, RefusesWhatItDoesNotCompute) {
  EXPECT_HAS(mixtral.with("sliding_window", 4096),
             "'sliding_window' has the unsupported value 4096; supported: null");
  EXPECT_HAS(mixtral.with("hidden_act", "gelu"), "supported: silu");
  EXPECT_HAS(mixtral.with("num_experts_per_tok", 9), "must be an integer from 1 to 8, found 9");
  EXPECT_HAS(mixtral.with("rope_scaling", {{"type", "linear"}, {"factor", 2}}),
             "'rope_scaling.type' has the unsupported value \"linear\"; supported: default");
  mixtral.expectRequired({"num_local_experts", "num_experts_per_tok", "intermediate_size"});
}

TEST(KimiK2Config, IsDeepseekV3ByAnotherName) {
  FamilyConfig kimi("deepseek_v3");
  kimi.json["model_type"] = "kimi_k2";
  kimi.json["n_group"] = kimi.json["topk_group"] = 1;
  EXPECT_EQ(kimi.withRope("beta_fast", 1.0), "(no error)");
  EXPECT_EQ(expertsOf(valueOf(kimi.describe()), 1)->routing.scoring, moe::Scoring::Sigmoid);
  EXPECT_HAS(kimi.with("scoring_func", "softmax"), "supported: sigmoid");
}
