// Checkpoints and presets become valid modules with the ops that their configs
// call for.
#include "models/Models.h"
#include "test/frontend/TestFiles.h"

using namespace mlir;
using namespace moec;
using namespace moec::frontend;
using namespace moec::frontend::test;

namespace {

class Import : public testing::Test {
protected:
  OwningOpRef<ModuleOp> import(const std::string &source, ImportOptions options = {}) {
    checkpoint = valueOf(models::openModel(source));
    return valueOf(models::importModel(&context, *checkpoint, options));
  }
  /// The error of `config`, the golden's config with changes, without weights.
  std::string importError(Json config) {
    checkpoint = valueOf(Checkpoint::fromConfig(std::move(config), "config.json"));
    return errorOf(models::importModel(&context, *checkpoint));
  }

  MLIRContext context;
  std::unique_ptr<Checkpoint> checkpoint;
};

template <typename Op> int64_t count(Operation *root) {
  int64_t found = 0;
  root->walk([&](Op) { ++found; });
  return found;
}

func::FuncOp entry(ModuleOp module, StringRef name) {
  return module.lookupSymbol<func::FuncOp>(name);
}

moe::WeightOp weight(ModuleOp module, StringRef name) {
  auto op = module.lookupSymbol<moe::WeightOp>(name);
  EXPECT_TRUE(op) << name.str();
  return op;
}

std::string text(Type type) {
  std::string out;
  llvm::raw_string_ostream(out) << type;
  return out;
}

} // namespace

TEST_F(Import, Golden) {
  auto module = import(golden("deepseek_v3"));
  auto forward = entry(*module, "forward");
  EXPECT_EQ(count<moe::MlaAttentionOp>(forward), 4);
  EXPECT_EQ(count<moe::CacheAppendOp>(forward), 4);
  EXPECT_EQ(count<moe::RopeOp>(forward), 8);
  EXPECT_EQ(count<moe::GateOp>(forward), 3);
  EXPECT_EQ(count<moe::ExpertsOp>(forward), 3);
  EXPECT_EQ(count<moe::SwigluOp>(forward), 1 + 3); // dense, shared
  EXPECT_EQ(count<moe::RmsNormOp>(forward), 4 * 4 + 1);
  // 5 of attention, 3 of a dense or shared network, routers, head.
  EXPECT_EQ(count<moe::LinearOp>(forward), 4 * (4 + 3) + 3 + 1);
  EXPECT_EQ(count<moe::AddOp>(forward), 4 * 2 + 3);
  EXPECT_EQ(entry(*module, "mtp"), nullptr);

  EXPECT_EQ(forward.getNumArguments(), 5u + 4u);
  EXPECT_EQ(forward.getArgAttrOfType<StringAttr>(3, "moe.input").getValue(), "block_table");
  EXPECT_EQ(forward.getArgAttrOfType<StringAttr>(8, "moe.input").getValue(), "cache");
  EXPECT_EQ(text(forward.getArgumentTypes()[8]), "!moe.cache<48xf32, page = 64>");
  EXPECT_EQ(text(forward.getResultTypes()[0]), "tensor<?x512xf32>");
  EXPECT_EQ(text(weight(*module, "layers.1.mlp.experts.gate_proj").getType()),
            "tensor<16x32x128xbf16>");
  EXPECT_EQ(text(weight(*module, "layers.1.mlp.gate.e_score_correction_bias").getType()),
            "tensor<16xf32>");
}

TEST_F(Import, MeaningOfTheGoldensConfig) {
  auto module = import(golden("deepseek_v3"));
  module->walk([](moe::GateOp gate) {
    EXPECT_EQ(gate.getScoring(), moe::Scoring::Sigmoid);
    EXPECT_EQ(gate.getTopK(), 4u);
    EXPECT_EQ(gate.getGroups(), 4u);
    EXPECT_EQ(gate.getTopGroups(), 2u);
    EXPECT_EQ(gate.getGroupScore(), moe::GroupScore::Top2Sum);
    EXPECT_TRUE(gate.getNormalize());
    EXPECT_EQ(gate.getScale().convertToDouble(), 2.5);
    EXPECT_TRUE(gate.getBias());
  });
  module->walk([](moe::MlaAttentionOp attention) {
    // As transformers computed it for the golden.
    EXPECT_NEAR(attention.getScale().convertToDouble(), 0.2704675577217602, 1e-15);
  });
  module->walk([](moe::RopeOp rope) {
    EXPECT_EQ(rope.getRope().getLayout(), moe::RopeLayout::Interleaved);
    auto yarn = llvm::cast<moe::YarnAttr>(rope.getRope().getScaling());
    EXPECT_EQ(double(yarn.getAttentionFactor()), 1.0);
    EXPECT_EQ(double(yarn.getFactor()), 40.0);
    EXPECT_EQ(yarn.getOriginalContext(), 4096);
  });
  EXPECT_EQ((*module)->getAttrOfType<StringAttr>("moe.model_name").getValue(), "deepseek_v3");
  EXPECT_EQ((*module)->getAttrOfType<IntegerAttr>("moe.vocab_size").getInt(), 512);
  EXPECT_EQ((*module)->getAttrOfType<IntegerAttr>("moe.max_context").getInt(), 163840);
}

TEST_F(Import, WithoutQueryRankAndYarn) {
  auto module = import(golden("deepseek_v3_noqlora"));
  auto forward = entry(*module, "forward");
  EXPECT_EQ(count<moe::LinearOp>(forward), 3 * (3 + 3) + 2 + 1);
  EXPECT_EQ(text(weight(*module, "layers.0.self_attn.q_proj").getType()), "tensor<192x128xbf16>");
  forward.walk([](moe::RopeOp rope) { EXPECT_FALSE(rope.getRope().getScaling()); });
}

TEST_F(Import, QuantizedWeightsAndMtp) {
  auto module = import(golden("deepseek_v3_fp8"));
  EXPECT_EQ(text(weight(*module, "layers.0.self_attn.kv_a_proj_with_mqa").getType()),
            "!moe.qtensor<160x256xf8E4M3FN, block = [128, 128], scale = f32>");
  EXPECT_EQ(text(weight(*module, "layers.1.mlp.experts.down_proj").getType()),
            "!moe.qtensor<8x256x128xf8E4M3FN, block = [128, 128], scale = f32>");
  EXPECT_EQ(text(weight(*module, "lm_head").getType()), "tensor<320x256xbf16>");
  auto mtp = entry(*module, "mtp");
  ASSERT_TRUE(mtp);
  EXPECT_EQ(mtp.getNumArguments(), 7u);
  EXPECT_EQ(mtp.getArgAttrOfType<StringAttr>(5, "moe.input").getValue(), "hidden");
  EXPECT_EQ(count<moe::ExpertsOp>(mtp), 1);
  EXPECT_EQ(count<moe::RmsNormOp>(mtp), 2 + 4 + 1);
  EXPECT_EQ(text(weight(*module, "layers.2.eh_proj").getType()), "tensor<256x512xbf16>");
}

TEST_F(Import, NumericsFollowCheckpointAndOptions) {
  auto numerics = [&](ModuleOp module, StringRef key) {
    auto all = module->getAttrOfType<DictionaryAttr>("moe.numerics");
    return all.getAs<StringAttr>(key).str();
  };
  std::string fp8 = golden("deepseek_v3_fp8");
  auto module = import(fp8);
  EXPECT_EQ(numerics(*module, "activations"), "quantized");
  EXPECT_EQ(numerics(*module, "weights"), "fp8_block128");
  EXPECT_EQ(numerics(*module, "kv_cache"), "f32");
  module = import(fp8, {"named", /*quantizeInputs=*/false, DType::BF16, 16});
  EXPECT_EQ(numerics(*module, "activations"), "exact");
  EXPECT_EQ(numerics(*module, "kv_cache"), "bf16");
  EXPECT_EQ(text(entry(*module, "forward").getArgumentTypes()[5]),
            "!moe.cache<160xbf16, page = 16>");
  EXPECT_EQ(numerics(*import(golden("deepseek_v3")), "activations"), "exact");
}

TEST_F(Import, TinyR1) {
  auto module = import(golden("../../../models/tiny-r1"));
  EXPECT_EQ(count<moe::MlaAttentionOp>(entry(*module, "forward")), 5);
  EXPECT_TRUE(entry(*module, "mtp"));
  EXPECT_EQ((*module)->getAttrOfType<StringAttr>("moe.model_name").getValue(), "tiny-r1");
}

TEST_F(Import, TiedEmbeddings) {
  Json config = valueOf(Checkpoint::open(golden("deepseek_v3")))->config();
  config["tie_word_embeddings"] = true;
  checkpoint = valueOf(Checkpoint::fromConfig(config, "c"));
  auto module = valueOf(models::importModel(&context, *checkpoint));
  EXPECT_FALSE(module->lookupSymbol("lm_head"));
  int64_t uses = 0;
  module->walk([&](moe::ParamOp param) { uses += param.getWeight() == "embed_tokens"; });
  EXPECT_EQ(uses, 2);
}

TEST_F(Import, SparseMoeLayersAndNoSharedExpert) {
  Json config = valueOf(Checkpoint::open(golden("deepseek_v3")))->config();
  config["moe_layer_freq"] = 2;
  config["n_shared_experts"] = nullptr;
  config["rope_interleave"] = false;
  checkpoint = valueOf(Checkpoint::fromConfig(config, "c"));
  auto module = valueOf(models::importModel(&context, *checkpoint));
  EXPECT_EQ(count<moe::ExpertsOp>(*module), 1); // layer 2 of 0 .. 3
  EXPECT_EQ(count<moe::SwigluOp>(*module), 3);
  module->walk(
      [](moe::RopeOp rope) { EXPECT_EQ(rope.getRope().getLayout(), moe::RopeLayout::Half); });
}

//===-- Attention over keys and values -----------------------------------------===//

TEST_F(Import, KeysAndValuesShareACacheRow) {
  auto module = import(golden("qwen2"));
  auto forward = entry(*module, "forward");
  EXPECT_EQ(text(forward.getArgumentTypes()[5]), "!moe.cache<128xf32, page = 64>");
  EXPECT_EQ(count<moe::RopeOp>(forward), 4);
  EXPECT_EQ(count<moe::MlaAttentionOp>(forward), 0);
  int64_t biases = 0;
  forward.walk([&](moe::LinearOp linear) { biases += bool(linear.getBias()); });
  EXPECT_EQ(biases, 2 * 3);
  EXPECT_EQ(text(weight(*module, "layers.1.self_attn.k_proj.bias").getType()), "tensor<64xbf16>");
  forward.walk([](moe::AttentionOp attention) {
    EXPECT_EQ(attention.getHeads(), 4u);
    EXPECT_EQ(attention.getKvHeads(), 2u);
    EXPECT_EQ(attention.getKeyDim(), 32u);
    EXPECT_NEAR(attention.getScale().convertToDouble(), 0.1767766952966369, 1e-15);
    // The write, of the rotated keys and the values, comes first.
    auto append = attention.getCache().getDefiningOp<moe::CacheAppendOp>();
    ASSERT_TRUE(append);
    auto rows = append.getRows().getDefiningOp<moe::ConcatOp>();
    ASSERT_TRUE(rows);
    EXPECT_TRUE(rows.getParts()[0].getDefiningOp<moe::RopeOp>());
    EXPECT_TRUE(rows.getParts()[1].getDefiningOp<moe::LinearOp>());
  });
  auto numerics = (*module)->getAttrOfType<DictionaryAttr>("moe.numerics");
  EXPECT_FALSE(numerics.get("router"));
  EXPECT_EQ(numerics.getAs<StringAttr>("rope").getValue(), "half");
}

TEST_F(Import, QueriesAndKeysAreNormedHeadByHead) {
  auto module = import(golden("qwen3_moe"));
  std::vector<uint64_t> heads;
  module->walk([&](moe::RmsNormOp norm) {
    if (norm.getHeads() != 1)
      heads.push_back(norm.getHeads());
  });
  EXPECT_EQ(heads, (std::vector<uint64_t>{4, 2, 4, 2}));
  auto numerics = (*module)->getAttrOfType<DictionaryAttr>("moe.numerics");
  EXPECT_EQ(numerics.getAs<StringAttr>("router").getValue(),
            "softmax scores in f32; ties to the lower index");
}

TEST_F(Import, EmbeddingsTiedAndYetAHead) {
  auto original = valueOf(Checkpoint::open(golden("qwen2")));
  Json config = original->config();
  config["tie_word_embeddings"] = true;
  TestFolder folder;
  folder.write("config.json", config.dump());
  EXPECT_FALSE(llvm::sys::fs::copy_file(golden("qwen2/model.safetensors"),
                                        folder.path("model.safetensors")));
  checkpoint = valueOf(Checkpoint::open(folder.path()));
  EXPECT_HAS(errorOf(models::importModel(&context, *checkpoint)),
             "config.json': key 'tie_word_embeddings' is true, but the checkpoint holds "
             "'lm_head.weight' beside 'model.embed_tokens.weight'; remove that tensor, or set the "
             "key to false to use it");
}

TEST_F(Import, VocabularyOfAnotherSize) {
  auto original = valueOf(Checkpoint::open(golden("qwen2")));
  Json config = original->config();
  config["vocab_size"] = 400;
  TestFolder folder;
  folder.write("config.json", config.dump());
  EXPECT_FALSE(llvm::sys::fs::copy_file(golden("qwen2/model.safetensors"),
                                        folder.path("model.safetensors")));
  checkpoint = valueOf(Checkpoint::open(folder.path()));
  EXPECT_HAS(errorOf(models::importModel(&context, *checkpoint)),
             "tensor 'model.embed_tokens.weight' has shape [384, 128]; the config asks for [400, "
             "128]");
}

//===-- Names ------------------------------------------------------------------===//

TEST_F(Import, UnknownModelTypeNamesTheKnown) {
  EXPECT_EQ(importError({{"model_type", "gpt2"}}),
            "'config.json': unknown model_type 'gpt2'; known: deepseek_v2, deepseek_v3, "
            "kimi_k2, llama, mixtral, qwen2, qwen3_moe");
}

TEST_F(Import, UnknownPresetNamesTheKnown) {
  EXPECT_EQ(errorOf(models::openModel("deepseek-r9")),
            "'deepseek-r9' is neither a checkpoint folder, nor a config.json, nor one of the "
            "presets: deepseek-r1, deepseek-r1-zero, deepseek-v2-lite, deepseek-v3, kimi-k2, "
            "mixtral-8x7b, qwen3-30b-a3b, r1-distill-llama-70b, r1-distill-llama-8b, "
            "r1-distill-qwen-1.5b, r1-distill-qwen-14b, r1-distill-qwen-32b, r1-distill-qwen-7b");
}

TEST_F(Import, ConfigFaultsReachTheCaller) {
  Json config = valueOf(Checkpoint::open(golden("deepseek_v3")))->config();
  config["hidden_act"] = "relu";
  EXPECT_HAS(importError(config), "'hidden_act' has the unsupported value \"relu\"");
}

//===-- Checkpoints that do not fit their config -------------------------------===//

namespace {
/// A checkpoint like the FP8 golden, with zeros for weights and one tensor
/// changed.
class ChangedCheckpoint : public Import {
protected:
  using Entry = SafeTensorsWriter::Entry;
  std::string errorWith(StringRef name, std::optional<Entry> replacement) {
    auto original = valueOf(Checkpoint::open(golden("deepseek_v3_fp8")));
    std::vector<Entry> entries;
    for (const TensorInfo &info : original->shards()[0]->tensors())
      if (info.name != name)
        entries.push_back({info.name, info.dtype, info.shape});
    if (replacement)
      entries.push_back(*replacement);
    folder.write("config.json", original->config().dump());
    writeZeros(folder.path("model.safetensors"), entries);
    checkpoint = valueOf(Checkpoint::open(folder.path()));
    return errorOf(models::importModel(&context, *checkpoint));
  }
  TestFolder folder;
};
} // namespace

TEST_F(ChangedCheckpoint, FaultsNameTheTensor) {
  EXPECT_EQ(errorWith("none", std::nullopt), "(no error)");
  EXPECT_HAS(errorWith("model.norm.weight", std::nullopt),
             "tensor 'model.norm.weight' is missing in");
  std::string expert = "model.layers.1.mlp.experts.5.up_proj.weight";
  EXPECT_HAS(errorWith(expert, std::nullopt), "tensor '" + expert + "' is missing in");
  EXPECT_HAS(errorWith(expert + "_scale_inv", std::nullopt),
             "but its scale '" + expert + "_scale_inv' is missing");
  EXPECT_HAS(errorWith("lm_head.weight", Entry{"lm_head.weight", DType::BF16, {320, 255}}),
             "has shape [320, 255]; the config asks for [320, 256]");
}

TEST_F(ChangedCheckpoint, StacksAreStoredAlike) {
  std::string name = "model.layers.1.mlp.experts.5.up_proj.weight";
  // Without its scale gone, the BF16 weight is refused for the scale beside it.
  EXPECT_HAS(errorWith(name, Entry{name, DType::BF16, {128, 256}}),
             "is a scale, but '" + name + "' is BF16, not quantized");
}

TEST_F(ChangedCheckpoint, TokenizerOfAnotherModel) {
  folder.write("tokenizer.json", R"({"model": {"vocab": {"a": 0, "b": 320}}})");
  EXPECT_HAS(errorWith("none", std::nullopt),
             "tokenizer.json': token 'b' has id 320, but the config's vocab_size is 320; the "
             "tokenizer belongs to another model");
}
