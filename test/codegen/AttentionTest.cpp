// The attentions on the host against the reference interpreter.
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

/// Latents of two blocks of codes and a part of a third, beside a rope key in bf16.
TEST(QuantizedCache, LatentAttention) {
  for (const std::string &target : getTargets()) {
    AttentionText text{.heads = 6, .latent = 260, .rope = 18, .nope = 5, .page = 7};
    text.cache = "!moe.qtensor<1x260xf8E4M3FN, block = [1, 128], scale = f32>";
    KernelHarness harness(text.str(), {}, target);
    for (int64_t tokens : {1, 9}) {
      harness.setDims({.tokens = tokens, .sequences = 2});
      EXPECT_LE(harness.compare()[0], 1e-6) << tokens << " on " << target;
    }
  }
}

/// The heads' products behind the attention: odd sizes, a short last tile, every type of weight.
TEST_P(Attention, HeadProducts) {
  AttentionText attention{
      .heads = 11, .latent = 72, .rope = 9, .nope = 5, .page = 7, .cache = cache};
  for (const char *weight : {"f32", "bf16", "f8"}) {
    AttentionOutputText text{attention, /*rows=*/31, /*wOffset=*/8, /*wSize=*/19, weight};
    KernelHarness harness(text.str(), {}, target);
    for (int64_t tokens : {1, 9}) {
      harness.setDims({.tokens = tokens, .sequences = 2});
      EXPECT_LE(harness.compare()[0], 2e-6) << weight << ", " << tokens;
    }
  }
}

/// Every number of heads a tile may have, the last tile short.
TEST_P(Attention, HeadsOfATile) {
  bool wide = target == "cpu:x86-64-v4";
  for (int64_t heads : {1, 2, 4, 8}) {
    AttentionText attention{
        .heads = 11, .latent = 72, .rope = 9, .nope = 5, .page = 7, .cache = cache};
    attention.schedule = "{head_group = " + std::to_string(std::min<int64_t>(heads, wide ? 4 : 2)) +
                         ", heads = " + std::to_string(heads) +
                         ", positions = 16, vector = " + std::to_string(wide ? 16 : 8) + "}";
    AttentionOutputText text{attention, /*rows=*/31, /*wOffset=*/8, /*wSize=*/19, "f8"};
    KernelHarness harness(text.str(), {.tokens = 3, .sequences = 2}, target);
    EXPECT_LE(harness.compare()[0], 2e-6) << heads;
  }
}

/// 11 heads of 128 columns, in tiles of 8 and 3; a latent of several blocks and a tail.
TEST_P(Attention, HeadProductsQuantized) {
  AttentionText attention{
      .heads = 11, .latent = 200, .rope = 16, .nope = 16, .page = 64, .cache = cache};
  AttentionOutputText text{attention, /*rows=*/192, /*wOffset=*/64, /*wSize=*/128, "f8", true};
  KernelHarness harness(text.str(), {.tokens = 3, .sequences = 2}, target);
  std::vector<double> errors = harness.compare();
  EXPECT_LE(errors[0], 2e-6);
  EXPECT_LE(errors[1], 2e-3);
}

/// Keys and values expanded: odd sizes, contexts that begin and end within pages and blocks, runs
/// of several sequences in one step.
TEST_P(Attention, Expanded) {
  for (const char *weight : {"f32", "bf16", "f8"}) {
    MlaText text{.heads = 3,
                 .latent = 72,
                 .nope = 19,
                 .rope = 9,
                 .v = 11,
                 .page = 7,
                 .cache = cache,
                 .weight = weight};
    KernelHarness harness(text.str(), {}, target);
    for (int64_t tokens : {1, 2, 9, 33})
      for (int64_t sequences : {1, 3}) {
        if (sequences > tokens)
          continue;
        harness.setDims({.tokens = tokens, .sequences = sequences});
        EXPECT_LE(harness.compare()[0], 2e-6) << weight << ", " << tokens << ", " << sequences;
      }
  }
}

/// Contexts of 1 to 300 rows: several blocks of positions and two of tokens.
TEST_P(Attention, ExpandedToThreeHundred) {
  MlaText text{
      .heads = 6, .latent = 64, .nope = 16, .rope = 16, .v = 48, .page = 64, .cache = cache};
  KernelHarness harness(text.str(), {.tokens = 300, .sequences = 1}, target);
  for (int64_t token = 0; token < 300; ++token)
    harness.argument(3).setFlat(token, token);
  EXPECT_LE(harness.compare()[0], 1e-6);
  // Any order of positions.
  for (int64_t token = 0; token < 300; ++token)
    harness.argument(3).setFlat(token, token * 7 % 300);
  EXPECT_LE(harness.compare()[0], 1e-6);
}

/// Neighbouring tokens of different sequences: every run has one token.
TEST_P(Attention, ExpandedAlternating) {
  MlaText text{.heads = 2, .latent = 40, .nope = 8, .rope = 8, .v = 24, .page = 16, .cache = cache};
  KernelHarness harness(text.str(), {.tokens = 6, .sequences = 2}, target);
  for (int64_t token = 0; token < 6; ++token)
    harness.argument(4).setFlat(token, token % 2);
  EXPECT_LE(harness.compare()[0], 1e-6);
}

TEST_P(Attention, ExpandedQuantized) {
  MlaText text{.heads = 3,
               .latent = 200,
               .nope = 16,
               .rope = 16,
               .v = 256,
               .page = 64,
               .cache = cache,
               .weight = "f8",
               .quantize = true};
  KernelHarness harness(text.str(), {.tokens = 5, .sequences = 2}, target);
  std::vector<double> errors = harness.compare();
  EXPECT_LE(errors[0], 2e-6);
  EXPECT_LE(errors[1], 2e-3);
}

/// Heads that share keys and values 1, 2, 7 and 8 times, and odd numbers of all of them.
TEST_P(Attention, GroupedQueries) {
  constexpr int64_t sizes[][4] = {{1, 1, 64, 64},  {6, 3, 19, 11},   {14, 2, 64, 64},
                                  {16, 2, 96, 96}, {28, 4, 128, 64}, {5, 5, 33, 40},
                                  {9, 3, 8, 3}};
  for (auto [heads, kvHeads, key, value] : sizes) {
    GqaText text{heads, kvHeads, key, value, /*page=*/7, cache};
    KernelHarness harness(text.str(), {}, target);
    for (int64_t tokens : {1, 2, 9, 70})
      for (int64_t sequences : {1, 3}) {
        if (sequences > tokens)
          continue;
        harness.setDims({.tokens = tokens, .sequences = sequences});
        EXPECT_LE(harness.compare()[0], 1e-6)
            << text.str() << tokens << " tokens, " << sequences << " sequences";
      }
  }
}

/// Contexts of 1 to 65, every run of one token as in a decode step; blocks of positions begin and
/// end at 32, 64 and at their pages' edges.
TEST_P(Attention, GroupedQueriesAlternating) {
  for (int64_t page : {16, 64}) {
    GqaText text{.heads = 14, .kvHeads = 2, .key = 64, .value = 64, .page = page, .cache = cache};
    KernelHarness harness(text.str(), {.tokens = 130, .sequences = 2}, target);
    for (int64_t token = 0; token < 130; ++token) {
      harness.argument(2).setFlat(token, token / 2);
      harness.argument(3).setFlat(token, token % 2);
    }
    EXPECT_LE(harness.compare()[0], 1e-6) << page;
  }
}

/// A chunk of a prompt: contexts of 1 to 300 rows, and these in any order.
TEST_P(Attention, GroupedQueriesToThreeHundred) {
  GqaText text{.heads = 12, .kvHeads = 2, .key = 128, .value = 128, .page = 64, .cache = cache};
  KernelHarness harness(text.str(), {.tokens = 300, .sequences = 1}, target);
  for (int64_t factor : {1, 7}) {
    for (int64_t token = 0; token < 300; ++token)
      harness.argument(2).setFlat(token, token * factor % 300);
    EXPECT_LE(harness.compare()[0], 1e-6) << factor;
  }
}

/// Any number of the seven heads that share keys, the last tile with fewer.
TEST_P(Attention, GroupedQueriesOfEveryBlock) {
  std::string vector = target == "cpu:x86-64-v3" ? "8" : "16", group = vector == "8" ? "2" : "4";
  for (auto [heads, tokens] :
       {std::pair("7", "9"), {"4", "16"}, {"3", "21"}, {"2", "32"}, {"1", "64"}}) {
    GqaText text{.heads = 14, .kvHeads = 2, .key = 24, .value = 40, .page = 16, .cache = cache};
    text.schedule = "{vector = " + vector + ", heads = " + heads + ", tokens = " + tokens +
                    ", group = " + group +
                    ", positions = " + (heads == std::string("7") ? "64" : "32") + "}";
    for (int64_t count : {1, 3, 65}) {
      KernelHarness harness(text.str(), {.tokens = count, .sequences = 1}, target);
      EXPECT_LE(harness.compare()[0], 1e-6) << heads << " heads, " << count << " tokens";
    }
  }
}

/// Scores that grow and fall by hundreds: the running maximum must follow.
TEST_P(Attention, GroupedQueriesLargeScores) {
  GqaText text{.heads = 4, .kvHeads = 2, .key = 32, .value = 32, .page = 16, .cache = cache};
  KernelHarness harness(text.str(), {.tokens = 100, .sequences = 1}, target);
  for (int64_t token = 0; token < 100; ++token)
    for (int64_t column = 0; column < 4 * 32; ++column)
      harness.argument(0).set(token, column, 40 * harness.argument(0).at(token, column));
  EXPECT_LE(harness.compare()[0], 2e-5);
}

/// Blocks of one head, and of two heads of 64 columns in tiles of all eight.
TEST_P(Attention, GroupedQueriesQuantized) {
  for (int64_t value : {128, 64}) {
    GqaText text{.heads = 16,
                 .kvHeads = 2,
                 .key = 64,
                 .value = value,
                 .page = 64,
                 .cache = cache,
                 .quantize = true};
    for (int64_t tokens : {1, 5}) {
      KernelHarness harness(text.str(), {.tokens = tokens, .sequences = 1}, target);
      std::vector<double> errors = harness.compare();
      EXPECT_LE(errors[0], 1e-6);
      EXPECT_LE(errors[1], 2e-3) << value << ", " << tokens;
    }
  }
}

/// Many workers get smaller tiles: at least one each, as far as there are heads.
TEST(AttentionSchedules, TilesForAllWorkers) {
  for (auto [heads, kvHeads, tiles] :
       {std::tuple<int64_t, int64_t, int64_t>(28, 4, 8), {32, 8, 8}, {12, 2, 6}, {4, 4, 4}}) {
    GqaText text{heads, kvHeads, 64, 64, /*page=*/64};
    KernelHarness harness(text.str(), {}, "cpu:x86-64-v3");
    int64_t block = harness.getKernel().getSchedule()->get("heads"), shared = heads / kvHeads;
    EXPECT_EQ(kvHeads * ((shared + block - 1) / block), tiles) << heads << " heads";
  }
}

TEST(AttentionErrors, QuantizesWholeGroups) {
  GqaText text{.heads = 9, .kvHeads = 3, .key = 8, .value = 64, .page = 16, .quantize = true};
  EXPECT_NE(getFailure(text.str()).find("192 columns do not end on blocks of 128"),
            std::string::npos);
}

TEST(AttentionErrors, HoldsNothingBesideGroupedQueries) {
  std::string text = GqaText{.heads = 4, .kvHeads = 2, .key = 8, .value = 8, .page = 16}.str();
  text = replaceAll(text, "kern.yield %0", "%1 = moe.add %0, %0 : tensor<?x32xf32>\nkern.yield %1");
  EXPECT_NE(getFailure(text).find("hold nothing but the attention"), std::string::npos);
}

TEST(AttentionErrors, QuantizesWholeBlocks) {
  AttentionText attention{.heads = 9, .latent = 32, .rope = 16, .nope = 0, .page = 16};
  AttentionOutputText text{attention, /*rows=*/24, /*wOffset=*/0, /*wSize=*/24, "f32", true};
  EXPECT_NE(getFailure(text.str()).find("192 columns end inside a block of 128"),
            std::string::npos);
}

TEST(AttentionErrors, HoldsNothingElse) {
  std::string text =
      AttentionText{.heads = 4, .latent = 32, .rope = 16, .nope = 0, .page = 16}.str();
  text =
      replaceAll(text, "kern.yield %0", "%1 = moe.add %0, %l : tensor<?x128xf32>\nkern.yield %1");
  EXPECT_NE(getFailure(text).find("hold nothing but the attention"), std::string::npos);
}

TEST(AttentionErrors, OneProductOnly) {
  AttentionText attention{.heads = 4, .latent = 32, .rope = 16, .nope = 0, .page = 16};
  std::string text = AttentionOutputText{attention, /*rows=*/24, /*wOffset=*/0, /*wSize=*/24}.str();
  size_t begin = text.find("%1 = "), end = text.find("kern.yield");
  std::string again = text.substr(begin, end - begin);
  text.insert(end, replaceAll(again, "%1 = ", "%9 = "));
  EXPECT_NE(getFailure(text).find("is the second of its kind in an attention kernel"),
            std::string::npos);
}

TEST(AttentionErrors, QueryIsProjected) {
  std::string text =
      QueryText{.heads = 2, .inputs = 16, .nope = 8, .rope = 4, .rows = 8, .latent = 32}.str();
  // The rope reads an argument of the kernel instead of the projection.
  text = replaceAll(text, "%t: tensor<300x4xf32>,", "%t: tensor<300x4xf32>, %y: tensor<?x24xf32>,");
  text =
      replaceAll(text, "unit, unit, #kern.rows", "unit, #kern.rows<tokens * 1>, unit, #kern.rows");
  text = replaceAll(text, "0, 1, 0, 0,", "0, 1, 0, 24, 0,");
  text = replaceAll(text, "%1 = moe.rope %0,", "%1 = moe.rope %y,");
  EXPECT_NE(getFailure(text).find("project only a query that is rotated next"), std::string::npos);
  size_t begin = text.find("%0 = moe.linear"), end = text.find("%1 = moe.rope");
  text.erase(begin, end - begin);
  EXPECT_NE(
      getFailure(text).find("hold a product alone, or with the rope and the linear before it"),
      std::string::npos);
}

} // namespace
