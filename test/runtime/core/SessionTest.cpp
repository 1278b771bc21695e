// The toy model's logits do not depend on how its tokens were fed: chunks,
// batches, page layout and the number of threads must not show.
#include "runtime/core/Session.h"
#include "test/runtime/toy/ExpectError.h"
#include "test/runtime/toy/TestBundle.h"

#include <cmath>

using namespace moec::rt;
using namespace moec::rt::test;

namespace {

using Tokens = std::vector<int32_t>;

Tokens someTokens(size_t count, uint32_t state) {
  Tokens out(count);
  for (int32_t &token : out) {
    state = state * 1664525u + 1013904223u;
    token = int32_t((state >> 8) % TOY_VOCAB);
  }
  return out;
}

class SessionTest : public testing::Test {
protected:
  static void SetUpTestSuite() {
    file = new TempFile(".moeb", assemble(toyParts()));
    model = new Model(file->path(), {.device = {.threads = 3}});
  }
  static void TearDownTestSuite() {
    delete model;
    delete file;
  }
  static TempFile *file;
  static Model *model;
  // NaN in a kernel's unwritten reads or logits would show.
  Session session{*model, {.poison = true}};

  std::vector<float> feed(SequenceId id, std::span<const int32_t> tokens) {
    Feed f{id, tokens};
    const float *row = session.step({&f, 1})[0];
    return {row, row + TOY_VOCAB};
  }
};
TempFile *SessionTest::file;
Model *SessionTest::model;

void expectLogits(std::span<const float> got, std::span<const int32_t> tokens) {
  std::vector<float> expected = toyLogits(tokens);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], expected[i], 1e-4) << "logit " << i;
}

TEST_F(SessionTest, PrefillOfEveryLength) {
  for (size_t length = 1; length <= TOY_CONTEXT; ++length) {
    Tokens tokens = someTokens(length, uint32_t(length));
    SequenceId id = session.addSequence();
    std::vector<float> logits = feed(id, tokens);
    expectLogits(logits, tokens);
    EXPECT_EQ(session.length(id), length);
    session.removeSequence(id);
  }
}

TEST_F(SessionTest, ChunksAndStepsGiveTheSameBits) {
  Tokens tokens = someTokens(TOY_CONTEXT, 5);
  SequenceId whole = session.addSequence();
  std::vector<float> expected = feed(whole, tokens);
  for (size_t chunk : {1, 2, 3, 5, 16, 17, 31}) {
    SequenceId id = session.addSequence();
    std::vector<float> logits;
    for (size_t i = 0; i < tokens.size(); i += chunk)
      logits = feed(id, std::span(tokens).subspan(i, std::min(chunk, tokens.size() - i)));
    EXPECT_EQ(logits, expected) << "chunks of " << chunk;
    session.removeSequence(id);
  }
}

TEST_F(SessionTest, EveryPositionsLogits) {
  Tokens tokens = someTokens(37, 6);
  SequenceId id = session.addSequence();
  size_t rows = 0;
  session.prefillAll(id, tokens, [&](uint32_t count, const float *logits) {
    EXPECT_LE(count, 8u);
    for (uint32_t r = 0; r < count; ++r, ++rows)
      expectLogits({logits + r * TOY_VOCAB, TOY_VOCAB}, std::span(tokens).first(rows + 1));
  });
  EXPECT_EQ(rows, tokens.size());
}

TEST_F(SessionTest, BatchesOfEverySize) {
  std::vector<Tokens> histories;
  std::vector<SequenceId> ids;
  for (int s = 0; s < TOY_BATCH; ++s) {
    histories.push_back(someTokens(3 + 5 * s, 10 + s));
    ids.push_back(session.addSequence());
    feed(ids[s], histories[s]);
  }
  for (int round = 0; round < 12; ++round) {
    std::vector<Feed> feeds;
    for (int s = round % 6; s < TOY_BATCH; ++s) {
      histories[s].push_back((round * 31 + s) % TOY_VOCAB);
      feeds.push_back({ids[s], std::span(histories[s]).last(1)});
    }
    auto rows = session.step(feeds);
    for (int s = round % 6; s < TOY_BATCH; ++s)
      expectLogits({rows[s - round % 6], TOY_VOCAB}, histories[s]);
  }
}

TEST_F(SessionTest, PromptsAndStepsMix) {
  Tokens a = someTokens(9, 1), b = someTokens(20, 2);
  SequenceId x = session.addSequence(), y = session.addSequence();
  feed(x, a);
  a.push_back(3);
  std::vector<Feed> feeds = {{y, b}, {x, std::span(a).last(1)}};
  auto rows = session.step(feeds);
  expectLogits({rows[0], TOY_VOCAB}, b);
  expectLogits({rows[1], TOY_VOCAB}, a);
}

TEST_F(SessionTest, SmallestBucketThatFits) {
  SequenceId id = session.addSequence();
  feed(id, someTokens(5, 1));
  EXPECT_EQ(session.lastProgram()->max_tokens(), 16u);
  feed(id, someTokens(4, 1));
  EXPECT_EQ(session.lastProgram()->max_tokens(), 4u);
  feed(id, someTokens(18, 1)); // 16 and 2
  EXPECT_EQ(session.lastProgram()->max_tokens(), 4u);
  feed(id, someTokens(1, 1));
  EXPECT_EQ(session.lastProgram()->max_tokens(), 1u);
}

TEST_F(SessionTest, PagesAreReusedInAnyOrder) {
  for (int round = 0; round < 30; ++round) {
    std::vector<SequenceId> ids;
    std::vector<Tokens> histories;
    for (int s = 0; s < TOY_BATCH; ++s) {
      ids.push_back(session.addSequence());
      histories.push_back(someTokens(1 + (round * 7 + s * 11) % 50, round + s));
      feed(ids[s], histories[s]);
    }
    session.removeSequence(ids[round % TOY_BATCH]);
    for (int s = 0; s < TOY_BATCH; ++s) {
      if (s == round % TOY_BATCH)
        continue;
      histories[s].push_back(s);
      expectLogits(feed(ids[s], std::span(histories[s]).last(1)), histories[s]);
      session.removeSequence(ids[s]);
    }
  }
  EXPECT_EQ(session.freePages(), uint32_t(TOY_BATCH * 15));
}

TEST_F(SessionTest, TruncatedSequencesGoOn) {
  SequenceId id = session.addSequence();
  Tokens tokens = someTokens(30, 8);
  feed(id, tokens);
  for (size_t length : {29, 17, 16, 1, 0}) {
    session.truncate(id, length);
    EXPECT_EQ(session.freePages(), TOY_BATCH * 15 - (length + 3) / 4);
    tokens.resize(length);
    tokens.push_back(int32_t(length) + 100);
    expectLogits(feed(id, std::span(tokens).last(1)), tokens);
  }
  EXPECT_RT_ERROR(session.truncate(id, 2), Argument, "has 1 tokens, it cannot be cut to 2");
}

TEST_F(SessionTest, ProfilesEveryLaunch) {
  session.setProfiling(true);
  SequenceId id = session.addSequence();
  feed(id, someTokens(4, 1));
  EXPECT_EQ(session.launchSeconds().size(), 3u);
}

TEST_F(SessionTest, PretendedLength) {
  SequenceId id = session.addSequence();
  session.pretendLength(id, 40);
  EXPECT_EQ(session.length(id), 40u);
  feed(id, someTokens(1, 1));
  EXPECT_EQ(session.length(id), 41u);
  EXPECT_RT_ERROR(session.pretendLength(id, 1), Capacity, "it has 41");
}

TEST_F(SessionTest, ErrorsChangeNothing) {
  SequenceId id = session.addSequence();
  Tokens tokens = someTokens(10, 3);
  feed(id, tokens);
  EXPECT_RT_ERROR(feed(id, Tokens{1, TOY_VOCAB}), Argument,
                  "token 1 has id 2048, the vocabulary has ids 0 to 2047");
  EXPECT_RT_ERROR(feed(id, Tokens{-1}), Argument, "has id -1");
  EXPECT_RT_ERROR(feed(id, Tokens{}), Argument, "is fed no tokens");
  EXPECT_RT_ERROR(feed(id, someTokens(51, 1)), Capacity,
                  "would have 61 tokens, the bundle's context is 60");
  EXPECT_RT_ERROR(feed(5, tokens), Argument, "sequence 5 does not exist");
  EXPECT_RT_ERROR(feed(-1, tokens), Argument, "sequence -1 does not exist");
  std::vector<Feed> twice = {{id, tokens}, {id, tokens}};
  EXPECT_RT_ERROR(session.step(twice), Argument, "is fed twice");
  EXPECT_EQ(session.length(id), 10u);
  tokens.push_back(7);
  expectLogits(feed(id, std::span(tokens).last(1)), tokens);
}

TEST_F(SessionTest, SequencesRunOut) {
  for (int s = 0; s < TOY_BATCH; ++s)
    session.addSequence();
  EXPECT_RT_ERROR(session.addSequence(), Capacity, "all 6 sequences");
}

TEST_F(SessionTest, CacheRunsOut) {
  Session small(*model, {.maxSequences = 2, .cacheTokens = 24});
  SequenceId a = small.addSequence(), b = small.addSequence();
  Tokens tokens = someTokens(20, 1);
  Feed first{a, tokens}, second{b, std::span(tokens).first(5)};
  small.step({&first, 1});
  EXPECT_RT_ERROR(small.step({&second, 1}), Capacity,
                  "needs 2 more cache pages of 4 tokens, 1 of 6 are free");
  small.removeSequence(a);
  auto rows = small.step({&second, 1});
  expectLogits({rows[0], TOY_VOCAB}, second.tokens);
}

TEST_F(SessionTest, RefusesImpossibleSizes) {
  EXPECT_RT_ERROR(Session(*model, {.maxSequences = 7}), Argument,
                  "7 sequences wanted, the bundle was compiled with --max-batch 6");
  TempFile none(".moeb", assemble(toyParts(ToyWeights::None)));
  Model empty(none.path());
  EXPECT_RT_ERROR(Session(empty, {}), Argument, "compiled with --weights none");
}

TEST_F(SessionTest, SyntheticWeightsRun) {
  TempFile synthetic(".moeb", assemble(toyParts(ToyWeights::Synthetic)));
  Model other(synthetic.path());
  Session s(other);
  SequenceId id = s.addSequence();
  Tokens tokens = {1, 2, 3};
  Feed f{id, tokens};
  const float *row = s.step({&f, 1})[0];
  for (int i = 0; i < TOY_VOCAB; ++i)
    ASSERT_TRUE(std::isfinite(row[i]));
}

/// Tokens of a few steps of three sequences, greedy and drawn, of a bundle with or without an entry
/// "sample".
std::vector<Tokens> generate(const BundleParts &parts, bool device, double temperature) {
  TempFile file(".moeb", assemble(parts));
  Model model(file.path());
  Session session(model, {.poison = true});
  EXPECT_EQ(session.hasSampleEntry(), device);
  std::vector<Sampler> samplers;
  std::vector<Sampler *> pointers;
  std::vector<Tokens> last;
  std::vector<SequenceId> ids;
  for (int s = 0; s < 3; ++s)
    samplers.emplace_back(SamplerOptions{s == 1 ? 0 : temperature, 0, 1, uint64_t(s)});
  for (int s = 0; s < 3; ++s) {
    pointers.push_back(&samplers[s]);
    ids.push_back(session.addSequence());
    last.push_back(someTokens(s == 2 ? 1 : 3 + 20 * s, 5 + s));
  }
  std::vector<Tokens> all(3);
  for (int step = 0; step < 5; ++step) {
    std::vector<Feed> feeds;
    for (int s = 0; s < 3; ++s)
      feeds.push_back({ids[s], last[s]});
    Tokens tokens = session.stepTokens(feeds, pointers);
    for (int s = 0; s < 3; ++s) {
      all[s].push_back(tokens[s]);
      last[s] = {tokens[s]};
    }
  }
  return all;
}

TEST(SessionSampling, GreedyTokensAreTheHosts) {
  BundleParts with = toyParts();
  addSampling(with);
  EXPECT_EQ(generate(with, true, 0), generate(toyParts(), false, 0));
}

// The toy's kernel draws the random number itself, which shows what it is given.
TEST(SessionSampling, RowsGetTheirSamplersNumbers) {
  BundleParts with = toyParts();
  addSampling(with);
  std::vector<Tokens> drawn = generate(with, true, 0.5), greedy = generate(with, true, 0);
  for (int s : {0, 2}) {
    Sampler sampler({0.5, 0, 1, uint64_t(s)});
    for (int32_t token : drawn[s])
      EXPECT_EQ(token, int32_t(sampler.next().random % TOY_VOCAB));
  }
  EXPECT_EQ(drawn[1], greedy[1]);
}

TEST(SessionSampling, NanLogitsAreAnError) {
  for (bool device : {false, true}) {
    BundleParts parts = toyParts();
    if (device)
      addSampling(parts);
    for (uint8_t &byte : parts.segments[2]) // the head
      byte = 0xFF;
    TempFile file(".moeb", assemble(parts));
    Model model(file.path());
    Session session(model);
    Tokens tokens = {1};
    Feed feed{session.addSequence(), tokens};
    Sampler sampler({});
    Sampler *samplers[] = {&sampler};
    EXPECT_RT_ERROR(session.stepTokens({&feed, 1}, samplers), Internal, "all logits are NaN");
  }
}

TEST_F(SessionTest, RefusesOtherThanOneSamplerForEachFeed) {
  Tokens tokens = {1};
  Feed feed{session.addSequence(), tokens};
  EXPECT_RT_ERROR(session.stepTokens({&feed, 1}, {}), Argument, "1 feeds have 0 samplers");
}

} // namespace
