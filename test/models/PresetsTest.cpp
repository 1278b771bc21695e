// Every preset imports, and has as many parameters as its authors published.
#include "models/Models.h"
#include "test/frontend/TestFiles.h"

using namespace moec;
using namespace moec::frontend;
using namespace moec::frontend::test;

namespace {
struct Published {
  const char *name;
  double total, active; // billions
  double tolerance;     // how the figures were rounded, and what their authors count
};
} // namespace

// DeepSeek-V2-Lite's 2.4 leave out the embedding table (0.21); Kimi K2's 1040 are rounded up.
static const Published published[] = {
    {"deepseek-v3", 671, 37, 0.02},
    {"deepseek-r1", 671, 37, 0.02},
    {"deepseek-r1-zero", 671, 37, 0.02},
    {"deepseek-v2-lite", 15.7, 2.4 + 0.21, 0.02},
    {"kimi-k2", 1040, 32.6, 0.015},
    {"mixtral-8x7b", 46.7, 12.9, 0.005},
    {"qwen3-30b-a3b", 30.5, 3.3, 0.02},
    {"r1-distill-qwen-1.5b", 1.78, 1.78, 0.005},
    {"r1-distill-qwen-7b", 7.62, 7.62, 0.005},
    {"r1-distill-qwen-14b", 14.8, 14.8, 0.005},
    {"r1-distill-qwen-32b", 32.8, 32.8, 0.005},
    {"r1-distill-llama-8b", 8.03, 8.03, 0.005},
    {"r1-distill-llama-70b", 70.6, 70.6, 0.005},
};

TEST(Presets, HaveThePublishedSizes) {
  EXPECT_EQ(std::size(published), models::presets().size());
  for (const Published &row : published) {
    Decoder decoder = valueOf(models::describeModel(*valueOf(models::openModel(row.name))));
    ParameterCounts counts = countParameters(decoder);
    EXPECT_NEAR(counts.total / 1e9, row.total, row.total * row.tolerance) << row.name;
    EXPECT_NEAR(counts.active / 1e9, row.active, row.active * row.tolerance) << row.name;
  }
}

TEST(Presets, CountWhatTheGraphReads) {
  for (const Published &row : published) {
    mlir::MLIRContext context;
    auto checkpoint = valueOf(models::openModel(row.name));
    auto module = valueOf(models::importModel(&context, *checkpoint));
    llvm::StringMap<uint64_t> sizes;
    module->lookupSymbol("forward")->walk([&](moe::ParamOp param) {
      uint64_t size = 1;
      for (int64_t extent : moe::getShape(param.getType()))
        size *= extent;
      sizes[param.getWeight()] = size;
    });
    uint64_t total = 0;
    for (const auto &entry : sizes)
      total += entry.second;
    EXPECT_EQ(total, countParameters(valueOf(models::describeModel(*checkpoint))).total)
        << row.name;
  }
}

TEST(Presets, DeepseekR1IsStoredInTheBytesOfItsCheckpoint) {
  for (std::string name : {"deepseek-v3", "deepseek-r1", "deepseek-r1-zero"}) {
    mlir::MLIRContext context;
    auto module = valueOf(models::importModel(&context, *valueOf(models::openModel(name))));
    EXPECT_TRUE(module->lookupSymbol("mtp"));
    uint64_t bytes = 0;
    module->walk([&](moe::WeightOp op) { bytes += moe::getBytes(op.getType()); });
    // The published checkpoint: 688.6 GB.
    EXPECT_NEAR(bytes / 1e9, 688.6, 0.2);
  }
}
