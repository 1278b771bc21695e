// What the family reads in another way than its successor.
#include "test/models/FamilyConfig.h"

using namespace moec;
using namespace moec::frontend;
using namespace moec::frontend::test;
using namespace moec::models::test;

static const FamilyConfig greedy("deepseek_v2_lite"), grouped("deepseek_v2_group");

TEST(DeepseekV2Config, SoftmaxScoresAreTheWeights) {
  Decoder decoder = valueOf(greedy.describe());
  EXPECT_FALSE(attentionOf<LatentAttention>(decoder).queryRank);
  EXPECT_FALSE(expertsOf(decoder, 0));
  const Experts *experts = expertsOf(decoder, 1);
  ASSERT_TRUE(experts);
  EXPECT_EQ(experts->routing.scoring, moe::Scoring::Softmax);
  EXPECT_FALSE(experts->routing.normalize);
  EXPECT_FALSE(experts->routerBias);
  EXPECT_EQ(experts->shared->gate.shape[0], 2 * 32);
}

TEST(DeepseekV2Config, GroupsCountOnlyWhereTheMethodSaysSo) {
  Decoder decoder = valueOf(grouped.describe());
  const Routing &routing = expertsOf(decoder, 2)->routing;
  EXPECT_EQ(routing.groups, 4);
  EXPECT_EQ(routing.topGroups, 2);
  EXPECT_EQ(routing.groupScore, moe::GroupScore::Max);
  EXPECT_EQ(routing.scale, 16);
  FamilyConfig other = grouped;
  other.json["topk_method"] = "greedy";
  EXPECT_EQ(expertsOf(valueOf(other.describe()), 2)->routing.groups, 1);
}

TEST(DeepseekV2Config, YarnScalesTheSoftmax) {
  Decoder decoder = valueOf(FamilyConfig("deepseek_v2_lite_yarn").describe());
  // As the published code computed it for the golden.
  EXPECT_NEAR(attentionOf<LatentAttention>(decoder).softmaxScale, 0.2294427735858522, 1e-15);
}

TEST(DeepseekV2Config, RefusesWhatItDoesNotCompute) {
  EXPECT_HAS(greedy.with("scoring_func", "sigmoid"), "supported: softmax");
  EXPECT_HAS(greedy.with("topk_method", "noaux_tc"),
             "'topk_method' has the unsupported value \"noaux_tc\"; supported: greedy, "
             "group_limited_greedy");
  EXPECT_HAS(greedy.with("norm_topk_prob", true),
             "'norm_topk_prob' has the unsupported value true; supported: false");
  EXPECT_HAS(greedy.with("attention_bias", true), "supported: false");
  EXPECT_HAS(greedy.with("hidden_act", "gelu"), "supported: silu");
  EXPECT_HAS(greedy.with("num_nextn_predict_layers", 1),
             "unknown config key 'num_nextn_predict_layers'");
  EXPECT_HAS(grouped.with("n_group", 3), "'n_group' = 3 does not divide n_routed_experts = 8");
  EXPECT_HAS(grouped.with("num_experts_per_tok", 5), "exceeds the 4 experts of topk_group = 2");
  EXPECT_EQ(grouped.with("n_group", 8), "'config.json': key 'num_experts_per_tok' = 3 exceeds the "
                                        "2 experts of topk_group = 2 groups");
  greedy.expectRequired({"topk_method", "norm_topk_prob", "kv_lora_rank", "n_routed_experts"});
}
