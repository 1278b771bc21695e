// The list of tensors against real checkpoints, in both directions, and the
// checkpoints that moec-make-checkpoint writes.
#include "models/Models.h"
#include "test/frontend/TestFiles.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Endian.h"
#include <cmath>

using namespace moec::frontend;
using namespace moec::frontend::test;

/// Every listed tensor resolves, and every stored one is listed.
static void expectExactList(const Checkpoint &checkpoint) {
  Decoder decoder = valueOf(moec::models::describeModel(checkpoint));
  llvm::StringSet<> listed;
  for (const WeightRequest &request : listWeights(decoder)) {
    WeightSource source = valueOf(decoder.scheme->resolve(checkpoint, request));
    EXPECT_FALSE(listed.contains(source.name)) << source.name;
    listed.insert(source.name);
    if (source.isQuantized())
      listed.insert(source.scaleName);
  }
  for (const auto &shard : checkpoint.shards())
    for (const TensorInfo &info : shard->tensors())
      EXPECT_TRUE(listed.contains(info.name)) << info.name;
}

static const char *goldens[] = {"deepseek_v2_group",
                                "deepseek_v2_lite",
                                "deepseek_v2_lite_yarn",
                                "deepseek_v3",
                                "deepseek_v3_fp8",
                                "deepseek_v3_noqlora",
                                "llama3",
                                "mixtral",
                                "qwen2",
                                "qwen2_tied",
                                "qwen3_moe"};

TEST(Weights, GoldensHoldExactlyTheList) {
  for (const char *name : goldens)
    expectExactList(*valueOf(Checkpoint::open(golden(name))));
}

TEST(Weights, TinyR1HoldsExactlyTheList) {
  expectExactList(*valueOf(Checkpoint::open(golden("../../../models/tiny-r1"))));
}

static int run(const std::string &arguments) {
  const char *build = std::getenv("MOEC_BUILD_DIR");
  return std::system(
      (std::string(build ? build : "build/release") + "/bin/moec-make-checkpoint " + arguments)
          .c_str());
}

TEST(MakeCheckpoint, WritesACheckpointThatOpens) {
  TestFolder folder;
  std::string base = golden("deepseek_v3_noqlora");
  for (std::string dtype : {"bf16", "fp8"}) {
    std::string path = folder.path(dtype);
    ASSERT_EQ(run(base + " -o " + path + " --dtype " + dtype +
                  " --shard-gib 0.0005 --set num_nextn_predict_layers=1 "
                  "--set hidden_size=192 2>/dev/null"),
              0);
    auto checkpoint = valueOf(Checkpoint::open(path));
    EXPECT_GT(checkpoint->shards().size(), 1u);
    expectExactList(*checkpoint);
  }
}

TEST(MakeCheckpoint, KnowsEveryFamily) {
  TestFolder folder;
  for (std::string name : goldens)
    for (std::string dtype : {"bf16", "fp8"}) {
      std::string path = folder.path(name + dtype);
      ASSERT_EQ(run(golden(name) + " -o " + path + " --dtype " + dtype +
                    " --set hidden_size=96 --set vocab_size=517 --set num_hidden_layers=2"),
                0);
      expectExactList(*valueOf(Checkpoint::open(path)));
    }
}

TEST(MakeCheckpoint, TakesPresets) {
  TestFolder folder;
  ASSERT_EQ(run("r1-distill-qwen-1.5b -o " + folder.path("x") +
                " --set num_hidden_layers=1 --set vocab_size=1000 --set bos_token_id=1 "
                "--set eos_token_id=2"),
            0);
  expectExactList(*valueOf(Checkpoint::open(folder.path("x"))));
}

TEST(MakeCheckpoint, TheSameSeedGivesTheSameBytes) {
  TestFolder folder;
  std::string base = golden("deepseek_v3_fp8") + " -o " + folder.path();
  ASSERT_EQ(run(base + "/a --seed 7") | run(base + "/b --seed 7") | run(base + "/c --seed 8"), 0);
  auto text = [&](const std::string &name) {
    return valueOf(readTextFile(folder.path(name + "/model.safetensors"), 1 << 28));
  };
  EXPECT_EQ(text("a"), text("b"));
  EXPECT_NE(text("a"), text("c"));
}

TEST(MakeCheckpoint, MagnitudesAreSensible) {
  TestFolder folder;
  ASSERT_EQ(run(golden("deepseek_v3") + " -o " + folder.path("a")), 0);
  auto checkpoint = valueOf(Checkpoint::open(folder.path("a")));
  TensorRef weight = valueOf(checkpoint->get("model.layers.0.mlp.down_proj.weight"));
  double squares = 0;
  size_t count = weight.bytes().size() / 2;
  for (size_t i = 0; i < count; ++i) {
    uint32_t bits = llvm::support::endian::read16le(weight.bytes().data() + 2 * i) << 16;
    double value = llvm::bit_cast<float>(bits);
    squares += value * value;
  }
  EXPECT_NEAR(std::sqrt(squares / count) * std::sqrt(256), 1, 0.05);
}

TEST(MakeCheckpoint, RefusesBadInput) {
  TestFolder folder;
  std::string out = " -o " + folder.path("x") + " 2>" + folder.path("log");
  auto log = [&] { return valueOf(readTextFile(folder.path("log"), 1 << 20)); };
  EXPECT_NE(run("nowhere" + out), 0);
  EXPECT_HAS(log(), "'nowhere' is neither a checkpoint folder, nor a config.json, nor one of the");
  EXPECT_NE(run(golden("deepseek_v3") + " --set n_group=3" + out), 0);
  EXPECT_HAS(log(), "'n_group' = 3 does not divide");
  EXPECT_NE(run(golden("deepseek_v3") + " --set n_group=" + out), 0);
  EXPECT_HAS(log(), "'--set n_group=' is not valid JSON");
  EXPECT_EQ(run(golden("deepseek_v3") + out), 0);
  EXPECT_NE(run(golden("deepseek_v3") + out), 0);
  EXPECT_HAS(log(), "exists; give a new folder");
}
