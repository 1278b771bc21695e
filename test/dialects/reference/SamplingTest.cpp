// Tokens chosen from logits.
#include "test/dialects/reference/Fixture.h"

#include "llvm/ADT/bit.h"

#include <cmath>
#include <limits>
#include <map>

using namespace moec::reference;
using namespace moec::reference::test;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr float kLog2E = 1.4426950408889634f;

class SamplingTest : public ReferenceTest {
protected:
  /// The token of one row.
  int32_t sample(std::vector<double> logits, float factor, int32_t topK, double topP,
                 uint32_t random) {
    int64_t size = logits.size(), chunks = (size + 3) / 4;
    auto type = [](int64_t columns, const char *element) {
      return "tensor<?x" + std::to_string(columns) + "x" + element + ">";
    };
    auto share = topP < 1 ? int32_t(uint32_t(std::lround(topP * 0x1p32))) : 0;
    Values arguments{floats({1, size}, std::move(logits)),
                     floats({1, chunks}, std::vector<double>(chunks)),
                     ints({1, 2 * chunks}, std::vector<int32_t>(2 * chunks)),
                     ints({1, 4}, {llvm::bit_cast<int32_t>(factor), topK, share, int32_t(random)})};
    auto out = evaluate("moe.sample",
                        type(size, "f32") + ", " + type(chunks, "f32") + ", " +
                            type(2 * chunks, "i32") + ", " + type(4, "i32"),
                        "chunk = 4 : i64", "tensor<?xi32>", arguments);
    return intData(out[0])[0];
  }

  /// How often each token comes, of evenly spread random numbers.
  std::map<int32_t, double> shares(std::vector<double> logits, float factor, int32_t topK,
                                   double topP) {
    constexpr int kDraws = 256;
    std::map<int32_t, double> shares;
    for (uint64_t i = 0; i < kDraws; ++i)
      shares[sample(logits, factor, topK, topP, uint32_t(i << 24 | 1 << 23))] += 1.0 / kDraws;
    return shares;
  }

  const std::vector<double> halves = {std::log(.3), std::log(.5), std::log(.15), std::log(.05)};
};

TEST_F(SamplingTest, GreedyTakesTheLowerIdOfEquals) {
  EXPECT_EQ(sample({1, 3, 2, 3}, 0, 0, 1, 7), 1);
  EXPECT_EQ(sample({kNan, -kInf, -5, kNan, -5}, 0, 0, 1, 7), 2);
  EXPECT_EQ(sample({kNan, -kInf}, 0, 0, 1, 7), 1);
  EXPECT_EQ(sample({kNan, kNan}, 0, 0, 1, 7), -1);
}

TEST_F(SamplingTest, FollowsTheSoftmax) {
  auto f = shares(halves, kLog2E, 0, 1);
  EXPECT_NEAR(f[0], 0.3, 0.01);
  EXPECT_NEAR(f[1], 0.5, 0.01);
  EXPECT_NEAR(f[2], 0.15, 0.01);
  EXPECT_NEAR(f[3], 0.05, 0.01);
  EXPECT_NEAR(shares({0, std::log(3)}, 2 * kLog2E, 0, 1)[1], 0.9, 0.01);
}

TEST_F(SamplingTest, WithoutFiltersInOrderOfIdElseOfLogit) {
  EXPECT_EQ(sample(halves, kLog2E, 0, 1, 0), 0);
  EXPECT_EQ(sample(halves, kLog2E, 4, 1, 0), 1);
  EXPECT_EQ(sample(halves, kLog2E, 0, 0.99, 0), 1);
  EXPECT_EQ(sample(halves, kLog2E, 0, 1, 0xFFFFFFFF), 3);
}

TEST_F(SamplingTest, TopKKeepsTheLowerIdsOfEquals) {
  auto f = shares({0, 1, 0, 1, 1}, kLog2E, 2, 1);
  EXPECT_EQ(f.size(), 2u);
  EXPECT_NEAR(f[1], 0.5, 0.01);
  EXPECT_NEAR(f[3], 0.5, 0.01);
  EXPECT_EQ(shares({0, 0, 0}, kLog2E, 9, 1).size(), 3u);
}

TEST_F(SamplingTest, TopPKeepsTheShortestPrefix) {
  EXPECT_EQ(shares(halves, kLog2E, 0, 0.49).size(), 1u);
  EXPECT_EQ(shares(halves, kLog2E, 0, 0.79).size(), 2u);
  EXPECT_EQ(shares(halves, kLog2E, 0, 0.81).size(), 3u);
  EXPECT_EQ(shares(halves, kLog2E, 0, 1e-9).size(), 1u);
  // Exactly a half is enough.
  EXPECT_EQ(shares({0, 0}, kLog2E, 0, 0.5).size(), 1u);
}

TEST_F(SamplingTest, TopPComesAfterTopK) {
  std::vector<double> logits = {std::log(.5), std::log(.3), std::log(.2)};
  EXPECT_EQ(shares(logits, kLog2E, 2, 0.6).size(), 1u);
  EXPECT_EQ(shares(logits, kLog2E, 2, 0.65).size(), 2u);
}

TEST_F(SamplingTest, SurvivesOddLogits) {
  EXPECT_EQ(shares({kNan, 1, -kInf}, kLog2E, 0, 0.9).size(), 1u);
  EXPECT_EQ(shares({kInf, 1, kInf}, kLog2E, 0, 0.9).size(), 2u);
  EXPECT_EQ(shares({-kInf, -kInf}, kLog2E, 0, 0.9).size(), 2u);
  EXPECT_EQ(shares({1, 2, 3}, 1e30f, 0, 1).size(), 1u);
  EXPECT_EQ(shares({1, 2, 3}, 1e-30f, 0, 1).size(), 3u);
}

TEST_F(SamplingTest, MassesAddUpToTheWeights) {
  // Weights 2^30, 2^29, 2^28 and, of the second chunk, 2^30 and 0 (too small, NaN).
  std::vector<double> logits = {0, -1, -2, kNan, 0, -33};
  auto maxima = evaluate("moe.chunk_maxima", "tensor<?x6xf32>", "chunk = 4 : i64",
                         "tensor<?x2xf32>", {floats({1, 6}, logits)});
  expectNear(maxima[0], {0, 0});
  auto masses = evaluate(
      "moe.chunk_masses", "tensor<?x6xf32>, tensor<?x2xf32>, tensor<?x4xi32>", "chunk = 4 : i64",
      "tensor<?x4xi32>",
      {floats({1, 6}, logits), maxima[0], ints({1, 4}, {llvm::bit_cast<int32_t>(1.0f), 0, 0, 0})});
  EXPECT_EQ(intData(masses[0]), (std::vector<int32_t>{0, 0, 1024 + 512 + 256, 1024}));
}

} // namespace
