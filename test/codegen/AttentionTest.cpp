// moe.latent_attention on the host against the reference interpreter.
#include "test/codegen/KernelHarness.h"
#include "test/codegen/MatrixKernels.h"

#include "gtest/gtest.h"

#include <numeric>

using namespace moec::test;

namespace {

class Attention : public testing::TestWithParam<std::tuple<std::string, std::string>> {
protected:
  std::string cache = std::get<0>(GetParam()), target = std::get<1>(GetParam());
};

std::vector<std::string> getTargets() {
  std::vector<std::string> targets = {"cpu:x86-64-v3"};
  if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
    targets.push_back("cpu:x86-64-v4");
  return targets;
}

TEST_P(Attention, SeveralSequences) {
  AttentionText text{.heads = 6, .latent = 72, .rope = 9, .nope = 5, .page = 7, .cache = cache};
  for (int64_t tokens : {2, 9}) {
    KernelHarness harness(text.str(), {.tokens = tokens, .sequences = 2}, target);
    EXPECT_LE(harness.compare()[0], 1e-6) << tokens;
  }
}

TEST_P(Attention, AllContextsToThreeHundred) {
  AttentionText text{.heads = 6, .latent = 64, .rope = 16, .nope = 16, .page = 64, .cache = cache};
  KernelHarness harness(text.str(), {.tokens = 300, .sequences = 1}, target);
  for (int64_t token = 0; token < 300; ++token)
    harness.argument(3).setFlat(token, token);
  EXPECT_LE(harness.compare()[0], 1e-6);
}

/// Scores that grow and fall by hundreds: the running maximum must follow.
TEST_P(Attention, LargeScores) {
  AttentionText text{.heads = 4, .latent = 32, .rope = 16, .nope = 0, .page = 16, .cache = cache};
  KernelHarness harness(text.str(), {.tokens = 100, .sequences = 1}, target);
  for (int64_t token = 0; token < 100; ++token)
    for (int64_t column = 0; column < 4 * 32; ++column)
      harness.argument(0).set(token, column, 40 * harness.argument(0).at(token, column));
  EXPECT_LE(harness.compare()[0], 2e-5);
}

INSTANTIATE_TEST_SUITE_P(Caches, Attention,
                         testing::Combine(testing::Values("f32", "bf16"),
                                          testing::ValuesIn(getTargets())));

TEST(AttentionErrors, HoldsNothingElse) {
  std::string text =
      AttentionText{.heads = 4, .latent = 32, .rope = 16, .nope = 0, .page = 16}.str();
  text.replace(text.find("kern.yield %0"), 13,
               "%1 = moe.add %0, %l : tensor<?x128xf32>\nkern.yield %1");
  try {
    KernelHarness harness(text, {});
    FAIL() << "compiled";
  } catch (const std::runtime_error &error) {
    EXPECT_NE(std::string(error.what()).find("hold nothing but the attention"), std::string::npos)
        << error.what();
  }
}

} // namespace
