// What the command line cannot show in time: interrupts, and cleaning up.
#include "runtime/tools/moec-run/Generation.h"
#include "test/runtime/toy/ExpectError.h"
#include "test/runtime/toy/TestBundle.h"

#include <csignal>
#include <filesystem>

using namespace moec::rt;
using namespace moec::rt::test;

namespace {

class GenerationTest : public testing::Test {
protected:
  TempFile file{".moeb", assemble(toyParts())};
  Model model{file.path(), {.device = {.threads = 1}}};
  Session session{model};
  Sampler sampler{{}};
  std::vector<int32_t> prompt = {3, 1, 4}, tokens;
  GenerateRequest request{.sequence = session.addSequence(),
                          .prompt = prompt,
                          .maxNewTokens = 10,
                          .onToken = [&](int32_t token, bool) { tokens.push_back(token); }};
};

TEST_F(GenerationTest, FollowsTheLogits) {
  GenerateStats stats = generate(model, session, sampler, request);
  EXPECT_EQ(stats.promptTokens, 3u);
  EXPECT_EQ(stats.newTokens, 10u);
  std::vector<int32_t> history = prompt;
  for (int32_t token : tokens) {
    EXPECT_EQ(token, argmax(toyLogits(history)));
    history.push_back(token);
  }
  // The last token is chosen, not fed.
  EXPECT_EQ(session.length(request.sequence), 12u);
}

TEST_F(GenerationTest, AnInterruptEndsItAfterTheStep) {
  InterruptGuard guard;
  request.onToken = [&](int32_t token, bool) {
    tokens.push_back(token);
    if (tokens.size() == 4)
      std::raise(SIGINT);
  };
  EXPECT_THROW(generate(model, session, sampler, request), Interrupted);
  EXPECT_EQ(tokens.size(), 4u);
}

TEST_F(GenerationTest, UnfinishedLogitsLeaveNothingBehind) {
  TempFile out(".safetensors");
  auto neighbours = [&] {
    int count = 0;
    for (const auto &entry :
         std::filesystem::directory_iterator(std::filesystem::path(out.path()).parent_path()))
      count += entry.path().string().starts_with(out.path());
    return count;
  };
  {
    LogitsFile logits(out.path(), TOY_VOCAB);
    request.logits = &logits;
    generate(model, session, sampler, request);
    EXPECT_EQ(neighbours(), 1);
  }
  EXPECT_EQ(neighbours(), 0);
}

} // namespace
