#include "frontend/checkpoint/Checkpoint.h"
#include "TestFiles.h"

using namespace moec::frontend;
using namespace moec::frontend::test;

namespace {

/// A folder with config.json and two shards: a in one, b in two.
class Sharded : public testing::Test {
protected:
  void SetUp() override {
    folder.write("config.json", R"({"model_type": "m"})");
    writeZeros(folder.path("one.safetensors"), {{"a", DType::F32, {2}}});
    writeZeros(folder.path("two.safetensors"), {{"b", DType::F32, {2}}});
  }
  std::string openWith(const std::string &weightMap) {
    folder.write("model.safetensors.index.json",
                 "{\"metadata\": {}, \"weight_map\": " + weightMap + "}");
    return errorOf(Checkpoint::open(folder.path()));
  }
  TestFolder folder;
};

} // namespace

TEST_F(Sharded, Opens) {
  EXPECT_EQ(openWith(R"({"a": "one.safetensors", "b": "two.safetensors"})"), "(no error)");
  auto checkpoint = valueOf(Checkpoint::open(folder.path()));
  EXPECT_EQ(checkpoint->modelType(), "m");
  EXPECT_EQ(checkpoint->shards().size(), 2u);
  EXPECT_EQ(valueOf(checkpoint->get("b")).bytes().size(), 8u);
  EXPECT_HAS(errorOf(checkpoint->get("c")), "tensor 'c' is missing in");
}

TEST_F(Sharded, MissingShard) {
  EXPECT_HAS(openWith(R"({"a": "one.safetensors", "b": "2.safetensors"})"),
             "places tensor 'b' in '2.safetensors', which is "
             "missing");
}

TEST_F(Sharded, TensorNotInItsShard) {
  EXPECT_HAS(openWith(R"({"a": "one.safetensors", "b": "two.safetensors",
                          "c": "two.safetensors"})"),
             "places tensor 'c' in 'two.safetensors', which does "
             "not hold it (1 such tensors)");
}

TEST_F(Sharded, TensorNotInTheIndex) {
  EXPECT_HAS(openWith(R"({"a": "one.safetensors", "c": "two.safetensors"})"),
             "holds tensor 'b', which "
             "model.safetensors.index.json does not list");
}

TEST_F(Sharded, TensorInAnotherShard) {
  EXPECT_HAS(openWith(R"({"a": "two.safetensors", "b": "one.safetensors"})"),
             "holds tensor 'a', which "
             "model.safetensors.index.json places in "
             "'two.safetensors'");
}

TEST_F(Sharded, ShardNamesStayInTheFolder) {
  for (const char *name :
       {"../one.safetensors", "/one.safetensors", "x/one.safetensors", ".safetensors", "..",
        "one.bin", "x\\\\one.safetensors", "one\\u0000.safetensors"})
    EXPECT_HAS(openWith("{\"a\": \"" + std::string(name) + "\"}"),
               "expected a *.safetensors file in the same folder")
        << name;
}

TEST_F(Sharded, IndexOfTheWrongForm) {
  EXPECT_HAS(openWith("[]"), "must hold an object 'weight_map'");
  EXPECT_HAS(openWith(R"({"a": 3})"), "weight_map of 'a' must be a string, found an "
                                      "integer");
  EXPECT_HAS(openWith(R"({"a": "one.safetensors", "a": "two.safetensors"})"),
             "name 'a' is given twice");
  folder.write("model.safetensors.index.json", "[]");
  EXPECT_HAS(errorOf(Checkpoint::open(folder.path())), "must hold an object 'weight_map'");
}

TEST_F(Sharded, DamagedShard) {
  folder.write("two.safetensors", "12345678901");
  EXPECT_HAS(openWith(R"({"a": "one.safetensors", "b": "two.safetensors"})"),
             "two.safetensors': the header claims");
}

TEST_F(Sharded, SingleFileBesideAnIndex) {
  writeZeros(folder.path("model.safetensors"), {{"a", DType::F32, {2}}});
  EXPECT_HAS(openWith("{}"), "holds both model.safetensors and");
}

TEST(Checkpoint, SingleFileAndTexts) {
  TestFolder folder;
  folder.write("config.json", R"({"model_type": "m"})");
  folder.write("tokenizer.json", "{}");
  folder.write("chat_template.jinja", "{{ 1 }}");
  writeZeros(folder.path("model.safetensors"), {{"a", DType::F32, {2}}});
  auto checkpoint = valueOf(Checkpoint::open(folder.path()));
  EXPECT_EQ(checkpoint->tokenizer(), "{}");
  EXPECT_EQ(checkpoint->chatTemplate(), "{{ 1 }}");
  EXPECT_EQ(checkpoint->generationConfig(), std::nullopt);
  EXPECT_TRUE(checkpoint->hasWeights());
  EXPECT_HAS(errorOf(checkpoint->get("b")), "tensor 'b' is missing in");
}

TEST(Checkpoint, OnlyAConfig) {
  TestFolder folder;
  std::string config = folder.write("config.json", R"({"model_type": "m"})");
  auto checkpoint = valueOf(Checkpoint::open(config));
  EXPECT_FALSE(checkpoint->hasWeights());
  EXPECT_HAS(errorOf(checkpoint->get("a")), "has no weights");
}

TEST(Checkpoint, ConfigFaults) {
  TestFolder folder;
  EXPECT_HAS(errorOf(Checkpoint::open(folder.path())), "config.json': No such file");
  EXPECT_HAS(errorOf(Checkpoint::open(folder.path("nowhere"))), "nowhere': No such file");
  std::pair<const char *, const char *> faults[] = {
      {"[]", "must hold an object, found a list"},
      {"{}", "key 'model_type' must be a string, found nothing"},
      {R"({"model_type": 1})", "must be a string, found an integer"},
      {"{", "is not valid JSON: syntax error at byte"},
      {R"({"a": 1, "a": 2})", "name 'a' is given twice"},
      {"{\"a\": \"\xff\"}", "is not valid JSON"},
  };
  for (auto [text, message] : faults) {
    folder.write("config.json", text);
    EXPECT_HAS(errorOf(Checkpoint::open(folder.path())), message);
  }
  folder.write("config.json", std::string(100000, '['));
  EXPECT_HAS(errorOf(Checkpoint::open(folder.path())), "nested deeper than 64 levels");
}

TEST(Checkpoint, GoldensOpen) {
  auto sharded = valueOf(Checkpoint::open(golden("deepseek_v3")));
  EXPECT_EQ(sharded->shards().size(), 2u);
  auto fp8 = valueOf(Checkpoint::open(golden("deepseek_v3_fp8")));
  EXPECT_EQ(valueOf(fp8->get("model.layers.0.mlp.up_proj.weight")).dtype(), DType::F8_E4M3);
  auto plain = valueOf(Checkpoint::open(golden("deepseek_v3_noqlora")));
  EXPECT_EQ(valueOf(plain->get("lm_head.weight")).shape(), llvm::ArrayRef<int64_t>({320, 128}));
  // The goldens themselves are such files as well.
  valueOf(SafeTensorsFile::open(golden("deepseek_v3/golden.safetensors")));
}
