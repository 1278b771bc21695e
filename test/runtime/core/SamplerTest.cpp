#include "runtime/core/Sampler.h"
#include "test/runtime/toy/ExpectError.h"

#include <cmath>
#include <limits>
#include <map>

using namespace moec::rt;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::map<int32_t, double> frequencies(const SamplerOptions &options,
                                      const std::vector<float> &logits) {
  constexpr int kDraws = 40000;
  Sampler sampler(options);
  std::map<int32_t, double> out;
  for (int i = 0; i < kDraws; ++i)
    out[sampler.sample(logits)] += 1.0 / kDraws;
  return out;
}

TEST(Xoshiro256, KnownSequence) {
  // xoshiro256** whose state is splitmix64's first four outputs from seed 0.
  Xoshiro256 random(0);
  EXPECT_EQ(random.next(), 0x99EC5F36CB75F2B4ull);
  EXPECT_EQ(random.next(), 0xBF6E1F784956452Aull);
}

TEST(Sampler, GreedyTakesTheLowerIndexOnATie) {
  EXPECT_EQ(argmax(std::vector<float>{1, 3, 2, 3}), 1);
  EXPECT_EQ(argmax(std::vector<float>{kNan, -kInf, -5, kNan}), 2);
  EXPECT_EQ(argmax(std::vector<float>{kNan, -kInf}), 1);
  EXPECT_RT_ERROR(argmax(std::vector<float>{kNan, kNan}), Internal, "all logits are NaN");
  Sampler sampler({});
  EXPECT_EQ(sampler.sample(std::vector<float>{0, 0, 0}), 0);
}

TEST(Sampler, FollowsTheSoftmax) {
  auto f = frequencies({1.0, 0, 1, 1}, {std::log(1.f), std::log(2.f), std::log(5.f)});
  EXPECT_NEAR(f[0], 1 / 8.0, 0.01);
  EXPECT_NEAR(f[1], 2 / 8.0, 0.01);
  EXPECT_NEAR(f[2], 5 / 8.0, 0.01);
}

TEST(Sampler, TemperatureSharpens) {
  auto f = frequencies({0.5, 0, 1, 1}, {std::log(1.f), std::log(3.f)});
  EXPECT_NEAR(f[1], 9 / 10.0, 0.01);
}

TEST(Sampler, TopKKeepsTheLikeliestLowerIndexFirst) {
  auto f = frequencies({1.0, 2, 1, 3}, {0, 1, 0, 1, 1});
  EXPECT_EQ(f.size(), 2u);
  EXPECT_NEAR(f[1], 0.5, 0.01);
  EXPECT_NEAR(f[3], 0.5, 0.01);
}

TEST(Sampler, TopPKeepsTheShortestPrefix) {
  std::vector<float> logits = {std::log(.5f), std::log(.3f), std::log(.15f), std::log(.05f)};
  EXPECT_EQ(frequencies({1.0, 0, 0.49, 4}, logits).size(), 1u);
  EXPECT_EQ(frequencies({1.0, 0, 0.79, 4}, logits).size(), 2u);
  EXPECT_EQ(frequencies({1.0, 0, 0.81, 4}, logits).size(), 3u);
  EXPECT_EQ(frequencies({1.0, 0, 1e-9, 4}, logits).size(), 1u);
  auto f = frequencies({1.0, 0, 0.79, 4}, logits);
  EXPECT_NEAR(f[0], 5 / 8.0, 0.01);
}

TEST(Sampler, TopPComesAfterTopK) {
  // Of the two kept, the first has 0.5 / 0.8 of the mass: enough for 0.6.
  std::vector<float> logits = {std::log(.5f), std::log(.3f), std::log(.2f)};
  EXPECT_EQ(frequencies({1.0, 2, 0.6, 4}, logits).size(), 1u);
  EXPECT_EQ(frequencies({1.0, 2, 0.65, 4}, logits).size(), 2u);
}

TEST(Sampler, DroppingUnlikelyCandidatesChangesNothing) {
  std::vector<float> logits(5000);
  for (size_t i = 0; i < logits.size(); ++i)
    logits[i] = float((i * 7919) % 5000) / 400;
  // topK of the whole vocabulary switches the shortcut off.
  Sampler shortcut({1.0, 0, 0.9, 11}), plain({1.0, 5000, 0.9, 11});
  for (int i = 0; i < 300; ++i)
    ASSERT_EQ(shortcut.sample(logits), plain.sample(logits)) << i;
}

TEST(Sampler, SameSeedSameTokens) {
  std::vector<float> logits(100);
  for (size_t i = 0; i < logits.size(); ++i)
    logits[i] = float(i % 7);
  Sampler a({0.8, 0, 0.95, 9}), b({0.8, 0, 0.95, 9}), c({0.8, 0, 0.95, 10});
  bool differs = false;
  for (int i = 0; i < 50; ++i) {
    int32_t token = a.sample(logits);
    ASSERT_EQ(token, b.sample(logits));
    differs |= token != c.sample(logits);
  }
  EXPECT_TRUE(differs);
}

TEST(Sampler, SurvivesOddLogits) {
  SamplerOptions options{1.0, 0, 0.9, 1};
  EXPECT_EQ(frequencies(options, {kNan, 1, -kInf}).size(), 1u);
  EXPECT_EQ(frequencies(options, {kInf, 1, kInf}).size(), 2u);
  EXPECT_EQ(frequencies(options, {-kInf, -kInf}).size(), 2u);
  EXPECT_EQ(frequencies({1e-300, 0, 1, 1}, {1, 2, 3}).size(), 1u);
}

TEST(Sampler, ChoicesAreWhatKernelsAreGiven) {
  Sampler greedy({0, 5, 0.5, 1});
  TokenChoice none = greedy.next();
  EXPECT_EQ(none.factor, 0);
  EXPECT_EQ(none.topK, 0u);
  EXPECT_EQ(none.topP, 0u);
  EXPECT_EQ(none.random, 0u);
  Sampler drawing({2, 5, 0.5, 0});
  TokenChoice choice = drawing.next();
  EXPECT_FLOAT_EQ(choice.factor, 0.72134752f);
  EXPECT_EQ(choice.topK, 5u);
  EXPECT_EQ(choice.topP, 0x80000000u);
  EXPECT_EQ(choice.random, 0x99EC5F36u);
  EXPECT_EQ(drawing.next().random, 0xBF6E1F78u);
  EXPECT_EQ(Sampler({1, 0, 1, 0}).next().topP, 0u);
  EXPECT_EQ(Sampler({1, 0, 1e-300, 0}).next().topP, 1u);
}

TEST(Sampler, InOrderOfIdUnlessFiltered) {
  std::vector<float> logits = {0, 1, 2, 1};
  Sampler sampler({1, 0, 1, 0});
  EXPECT_EQ(sampler.choose(logits, {1.44f, 0, 0, 0}), 0);
  EXPECT_EQ(sampler.choose(logits, {1.44f, 4, 0, 0}), 2);
  EXPECT_EQ(sampler.choose(logits, {1.44f, 0, 0xFFFFFFFF, 0}), 2);
  EXPECT_EQ(sampler.choose(logits, {1.44f, 0, 0, 0xFFFFFFFF}), 3);
  EXPECT_EQ(sampler.choose(logits, {1.44f, 4, 0, 0xFFFFFFFF}), 0);
  EXPECT_EQ(sampler.choose(logits, {0, 4, 1, 7}), 2);
}

TEST(Sampler, RefusesOptionsOutOfRange) {
  EXPECT_RT_ERROR(Sampler({-1, 0, 1, 0}), Argument, "temperature is -1");
  EXPECT_RT_ERROR(Sampler({double(kInf), 0, 1, 0}), Argument, "temperature is inf");
  EXPECT_RT_ERROR(Sampler({1, 0, 0, 0}), Argument, "top-p is 0");
  EXPECT_RT_ERROR(Sampler({1, 0, 1.5, 0}), Argument, "top-p is 1.5");
}

} // namespace
