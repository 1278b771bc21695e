// The dense families: what they read, and every key that is refused.
#include "test/models/FamilyConfig.h"

using namespace moec::frontend;
using namespace moec::frontend::test;
using namespace moec::models::test;

static const FamilyConfig qwen2("qwen2"), llama("llama3");

TEST(Qwen2Config, QueriesKeysAndValuesHaveBiases) {
  Decoder decoder = valueOf(qwen2.describe());
  const auto &attention = attentionOf<GroupedQueryAttention>(decoder, 1);
  EXPECT_EQ(attention.heads, 4);
  EXPECT_EQ(attention.kvHeads, 2);
  EXPECT_EQ(attention.headDim, 32);
  EXPECT_EQ(attention.k.bias->name, "model.layers.1.self_attn.k_proj.bias");
  EXPECT_EQ(attention.k.bias->shape[0], 64);
  EXPECT_FALSE(attention.qNorm);
  EXPECT_FALSE(attention.rope.interleaved);
  EXPECT_EQ(attention.rope.theta, 1e6);
  EXPECT_EQ(decoder.head.name, "lm_head.weight");
}

TEST(Qwen2Config, TiedEmbeddings) {
  Decoder decoder = valueOf(FamilyConfig("qwen2_tied").describe());
  EXPECT_EQ(decoder.head.name, "model.embed_tokens.weight");
  EXPECT_EQ(attentionOf<GroupedQueryAttention>(decoder).kvHeads, 1);
}

TEST(Qwen2Config, AWindowThatIsOffIsNoMatter) {
  EXPECT_EQ(qwen2.with("sliding_window", nullptr), "(no error)");
  EXPECT_EQ(qwen2.with("layer_types", {"full_attention", "full_attention"}), "(no error)");
  EXPECT_EQ(qwen2.with("use_mrope", false), "(no error)");
}

TEST(Qwen2Config, RefusesWhatItDoesNotCompute) {
  EXPECT_HAS(qwen2.with("use_sliding_window", true),
             "'use_sliding_window' has the unsupported value true; supported: false");
  EXPECT_HAS(qwen2.with("layer_types", {"full_attention", "sliding_attention"}),
             "'layer_types' has the unsupported value [");
  EXPECT_HAS(qwen2.with("layer_types", 3), "'layer_types' must be a list of strings, found 3");
  EXPECT_HAS(qwen2.with("use_mrope", true), "'use_mrope' has the unsupported value true");
  EXPECT_HAS(qwen2.with("hidden_act", "gelu"), "supported: silu");
  EXPECT_HAS(qwen2.with("rope_scaling", {{"type", "yarn"}, {"factor", 4}}),
             "'rope_scaling.type' has the unsupported value \"yarn\"; supported: default");
  EXPECT_HAS(qwen2.with("num_key_value_heads", 3),
             "'num_key_value_heads' = 3 does not divide num_attention_heads = 4");
  EXPECT_HAS(qwen2.with("num_key_value_heads", 8), "must be an integer from 1 to 4, found 8");
  EXPECT_HAS(qwen2.with("num_attention_heads", 6),
             "'num_attention_heads' = 6 does not divide hidden_size = 128, and there is no "
             "head_dim");
  EXPECT_HAS(qwen2.with("head_dim", 33), "'head_dim' gives heads of 33 channels; a rope needs an "
                                         "even number");
  qwen2.expectRequired({"vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size",
                        "num_attention_heads", "rms_norm_eps", "max_position_embeddings"});
}

TEST(LlamaConfig, ReadsTheGolden) {
  Decoder decoder = valueOf(llama.describe());
  const auto &attention = attentionOf<GroupedQueryAttention>(decoder);
  EXPECT_FALSE(attention.q.bias);
  const auto &scaling = std::get<Llama3>(attention.rope.scaling);
  EXPECT_EQ(scaling.factor, 8);
  EXPECT_EQ(scaling.lowFreqFactor, 1);
  EXPECT_EQ(scaling.highFreqFactor, 4);
  EXPECT_EQ(scaling.originalContext, 8192);
}

TEST(LlamaConfig, HeadsNeedNotMakeUpTheHiddenSize) {
  FamilyConfig other = llama;
  other.json["head_dim"] = 48;
  Decoder decoder = valueOf(other.describe());
  const auto &attention = attentionOf<GroupedQueryAttention>(decoder);
  EXPECT_EQ(attention.q.weight.shape, (llvm::SmallVector<int64_t, 4>{192, 128}));
  EXPECT_EQ(attention.o.shape, (llvm::SmallVector<int64_t, 4>{128, 192}));
  EXPECT_EQ(llama.with("rope_scaling", nullptr), "(no error)");
}

TEST(LlamaConfig, RefusesWhatItDoesNotCompute) {
  EXPECT_HAS(llama.with("attention_bias", true),
             "'attention_bias' has the unsupported value true; supported: false");
  EXPECT_HAS(llama.with("mlp_bias", true), "'mlp_bias' has the unsupported value true");
  EXPECT_HAS(llama.with("pretraining_tp", 2), "supported: 1");
  EXPECT_HAS(llama.with("sliding_window", 4096), "unknown config key 'sliding_window'");
  EXPECT_HAS(llama.with("hidden_act", "relu"), "supported: silu");
  EXPECT_HAS(llama.withRope("rope_type", "dynamic"),
             "'rope_scaling.rope_type' has the unsupported value \"dynamic\"; supported: default, "
             "llama3");
  EXPECT_HAS(llama.withRope("high_freq_factor", 1),
             "'rope_scaling.high_freq_factor' must exceed low_freq_factor");
  EXPECT_HAS(llama.withRope("factor", 0), "'rope_scaling.factor' must be a number from 1");
  EXPECT_HAS(llama.withRope("beta_fast", 1), "unknown config key 'rope_scaling.beta_fast'");
}
