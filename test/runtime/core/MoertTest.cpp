// The C API, through libmoert.so.
#include "runtime/core/moert.h"
#include "test/runtime/toy/TestBundle.h"

#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

using namespace moec::rt::test;
namespace fb = moec::rt::fb;
using testing::HasSubstr;

namespace {

std::string tinyR1() { return std::string(std::getenv("MOEC_SOURCE_DIR")) + "/models/tiny-r1/"; }

void addFile(fb::ManifestT &m, const char *name) {
  Bytes content = readFile(tinyR1() + name);
  m.files.push_back(std::make_unique<fb::TextFileT>());
  m.files.back()->name = name;
  m.files.back()->text.assign(content.begin(), content.end());
}

class MoertTest : public testing::Test {
protected:
  void SetUp() override {
    BundleParts parts = toyParts();
    for (const char *name : {"tokenizer.json", "tokenizer_config.json", "generation_config.json"})
      addFile(parts.manifest, name);
    file = std::make_unique<TempFile>(".moeb", assemble(std::move(parts)));
    moert_open_params params = {2, 0, 0, 0, 0};
    ASSERT_EQ(moert_open(file->path().c_str(), &params, &model), MOERT_OK) << moert_last_error();
  }
  void TearDown() override { moert_close(model); }

  std::unique_ptr<TempFile> file;
  moert_model *model = nullptr;
};

TEST_F(MoertTest, Describes) {
  EXPECT_THAT(moert_describe(model), HasSubstr("\"model_type\": \"toy\""));
  EXPECT_EQ(moert_vocab_size(model), uint32_t(TOY_VOCAB));
  EXPECT_EQ(moert_max_context(model), uint32_t(TOY_CONTEXT));
  EXPECT_EQ(moert_max_batch(model), uint32_t(TOY_BATCH));
  size_t count = 0;
  EXPECT_EQ(moert_stop_tokens(model, &count)[0], 1);
  EXPECT_EQ(count, 1u);
}

TEST_F(MoertTest, StepsToTokens) {
  moert_session *session = nullptr;
  moert_sampler *greedy = nullptr;
  ASSERT_EQ(moert_session_create(model, nullptr, &session), MOERT_OK);
  ASSERT_EQ(moert_sampler_create(nullptr, &greedy), MOERT_OK);
  int32_t sequence = -1, other = -1, token = -1, same = -2;
  ASSERT_EQ(moert_sequence_add(session, &sequence), MOERT_OK);
  ASSERT_EQ(moert_sequence_add(session, &other), MOERT_OK);
  std::vector<int32_t> x = {3, 1, 4};
  moert_feed feed = {sequence, x.data(), x.size()}, again = {other, x.data(), x.size()};
  const float *logits = nullptr;
  ASSERT_EQ(moert_step_tokens(session, &feed, 1, &greedy, &token), MOERT_OK) << moert_last_error();
  ASSERT_EQ(moert_step(session, &again, 1, &logits), MOERT_OK);
  ASSERT_EQ(moert_sample(greedy, logits, TOY_VOCAB, &same), MOERT_OK);
  EXPECT_EQ(token, same);
  EXPECT_EQ(moert_step_tokens(session, &feed, 1, nullptr, &token), MOERT_ERROR_ARGUMENT);
  EXPECT_THAT(moert_last_error(), HasSubstr("samplers is NULL"));
  moert_sampler *none = nullptr;
  EXPECT_EQ(moert_step_tokens(session, &feed, 1, &none, &token), MOERT_ERROR_ARGUMENT);
  EXPECT_THAT(moert_last_error(), HasSubstr("a sampler is NULL"));
  moert_sampler_destroy(greedy);
  moert_session_destroy(session);
}

TEST_F(MoertTest, StepsAndSamples) {
  moert_session *session = nullptr;
  ASSERT_EQ(moert_session_create(model, nullptr, &session), MOERT_OK);
  int32_t a = -1, b = -1;
  ASSERT_EQ(moert_sequence_add(session, &a), MOERT_OK);
  ASSERT_EQ(moert_sequence_add(session, &b), MOERT_OK);
  std::vector<int32_t> x = {3, 1, 4, 1, 5}, y = {9};
  moert_feed feeds[] = {{a, x.data(), x.size()}, {b, y.data(), y.size()}};
  const float *logits[2];
  ASSERT_EQ(moert_step(session, feeds, 2, logits), MOERT_OK) << moert_last_error();
  std::vector<float> expected = toyLogits(x);
  EXPECT_NEAR(logits[0][7], expected[7], 1e-4);
  EXPECT_NEAR(logits[1][7], toyLogits(y)[7], 1e-4);

  moert_sampler *sampler = nullptr;
  ASSERT_EQ(moert_sampler_create(nullptr, &sampler), MOERT_OK);
  int32_t token = -1;
  ASSERT_EQ(moert_sample(sampler, logits[0], TOY_VOCAB, &token), MOERT_OK);
  EXPECT_EQ(token, std::max_element(expected.begin(), expected.end()) - expected.begin());

  uint32_t length = 0;
  EXPECT_EQ(moert_sequence_length(session, a, &length), MOERT_OK);
  EXPECT_EQ(length, 5u);
  EXPECT_EQ(moert_sequence_remove(session, a), MOERT_OK);
  EXPECT_EQ(moert_sequence_length(session, a, &length), MOERT_ERROR_ARGUMENT);
  moert_sampler_destroy(sampler);
  moert_session_destroy(session);
}

TEST_F(MoertTest, TextBothWays) {
  const std::string text = "What is 17 + 26?";
  std::vector<int32_t> ids(64);
  size_t count = 0;
  ASSERT_EQ(moert_tokenize(model, text.data(), text.size(), 1, ids.data(), ids.size(), &count),
            MOERT_OK);
  EXPECT_EQ(ids[0], 0); // BOS
  std::string out(text.size(), '\0');
  size_t bytes = 0;
  ASSERT_EQ(moert_detokenize(model, ids.data(), count, 1, out.data(), out.size(), &bytes),
            MOERT_OK);
  EXPECT_EQ(out, text);
  size_t needed = 0;
  EXPECT_EQ(moert_tokenize(model, text.data(), text.size(), 1, nullptr, 0, &needed),
            MOERT_ERROR_CAPACITY);
  EXPECT_EQ(needed, count);
  EXPECT_EQ(moert_tokenize(model, "\xff", 1, 1, ids.data(), ids.size(), &count),
            MOERT_ERROR_ARGUMENT);
  EXPECT_THAT(moert_last_error(), HasSubstr("UTF-8"));
}

TEST_F(MoertTest, RendersAConversation) {
  const moert_chat_message messages[] = {
      {"user", "Hi", nullptr}, {"assistant", "Yo", "hm"}, {"user", "Bye", nullptr}};
  std::string prompt(400, '\0');
  size_t bytes = 0;
  int opens = 0;
  auto render = [&](const moert_chat_params *params, size_t capacity) {
    return moert_render_chat(model, messages, 3, params, prompt.data(), capacity, &bytes, &opens);
  };
  ASSERT_EQ(render(nullptr, prompt.size()), MOERT_OK) << moert_last_error();
  EXPECT_THAT(prompt.substr(0, bytes), HasSubstr("<｜User｜>Bye<｜Assistant｜><think>\n"));
  EXPECT_THAT(prompt.substr(0, bytes), HasSubstr("Yo<｜end▁of▁sentence｜>"));
  EXPECT_EQ(opens, 1);
  size_t whole = bytes;
  EXPECT_EQ(render(nullptr, 3), MOERT_ERROR_CAPACITY);
  EXPECT_EQ(bytes, whole);
  moert_chat_params closed = {1, -1};
  ASSERT_EQ(render(&closed, prompt.size()), MOERT_OK);
  EXPECT_LT(bytes, whole);
  EXPECT_EQ(opens, 0);
  const moert_chat_message bad[] = {{"user", "a\xff", nullptr}, {nullptr, "a", nullptr}};
  EXPECT_EQ(moert_render_chat(model, bad, 1, nullptr, prompt.data(), 400, &bytes, nullptr),
            MOERT_ERROR_ARGUMENT);
  EXPECT_THAT(moert_last_error(), HasSubstr("message 0's content is not valid UTF-8"));
  EXPECT_EQ(moert_render_chat(model, bad + 1, 1, nullptr, prompt.data(), 400, &bytes, nullptr),
            MOERT_ERROR_ARGUMENT);
  EXPECT_THAT(moert_last_error(), HasSubstr("a message's role is NULL"));
}

TEST_F(MoertTest, NullsAreArguments) {
  moert_session *session = nullptr;
  int32_t token;
  EXPECT_EQ(moert_open(nullptr, nullptr, &model), MOERT_ERROR_ARGUMENT);
  EXPECT_STREQ(moert_last_error(), "path is NULL");
  EXPECT_EQ(moert_open("x", nullptr, nullptr), MOERT_ERROR_ARGUMENT);
  EXPECT_EQ(moert_session_create(nullptr, nullptr, &session), MOERT_ERROR_ARGUMENT);
  EXPECT_EQ(moert_sequence_add(nullptr, &token), MOERT_ERROR_ARGUMENT);
  EXPECT_EQ(moert_step(nullptr, nullptr, 1, nullptr), MOERT_ERROR_ARGUMENT);
  EXPECT_EQ(moert_sample(nullptr, nullptr, 1, &token), MOERT_ERROR_ARGUMENT);
  EXPECT_EQ(moert_tokenize(nullptr, "", 0, 0, nullptr, 0, nullptr), MOERT_ERROR_ARGUMENT);
}

TEST_F(MoertTest, StatusesTellKindsApart) {
  moert_model *other = nullptr;
  EXPECT_EQ(moert_open("/nowhere.moeb", nullptr, &other), MOERT_ERROR_IO);
  TempFile text(".moeb", Bytes(5000, 'x'));
  EXPECT_EQ(moert_open(text.path().c_str(), nullptr, &other), MOERT_ERROR_BUNDLE);
  TempFile foreign(".moeb", assemble(toyParts(), [](fb::ManifestT &m) { m.target->kind = "amd"; }));
  EXPECT_EQ(moert_open(foreign.path().c_str(), nullptr, &other), MOERT_ERROR_TARGET);
  moert_open_params describe = {0, 0, 1, 0, 0};
  ASSERT_EQ(moert_open(foreign.path().c_str(), &describe, &other), MOERT_OK);
  moert_session *session = nullptr;
  EXPECT_EQ(moert_session_create(other, nullptr, &session), MOERT_ERROR_ARGUMENT);
  EXPECT_EQ(session, nullptr);
  moert_close(other);
  moert_sampler_params hot = {-1, 0, 0, 0};
  moert_sampler *sampler = nullptr;
  EXPECT_EQ(moert_sampler_create(&hot, &sampler), MOERT_ERROR_ARGUMENT);
}

TEST_F(MoertTest, ErrorsBelongToTheirThread) {
  moert_model *other = nullptr;
  moert_open("/nowhere.moeb", nullptr, &other);
  std::string mine = moert_last_error();
  std::thread([] { EXPECT_STREQ(moert_last_error(), ""); }).join();
  EXPECT_EQ(mine, moert_last_error());
}

// Two sessions on two threads take turns on the same workers.
TEST_F(MoertTest, SessionsOnTwoThreads) {
  auto work = [&](int32_t start) {
    moert_session *session = nullptr;
    int32_t sequence;
    ASSERT_EQ(moert_session_create(model, nullptr, &session), MOERT_OK);
    ASSERT_EQ(moert_sequence_add(session, &sequence), MOERT_OK);
    std::vector<int32_t> tokens;
    for (int i = 0; i < 40; ++i) {
      tokens.push_back(start + i);
      moert_feed feed = {sequence, &tokens.back(), 1};
      const float *logits;
      ASSERT_EQ(moert_step(session, &feed, 1, &logits), MOERT_OK);
      ASSERT_NEAR(logits[11], toyLogits(tokens)[11], 1e-4);
    }
    moert_session_destroy(session);
  };
  std::thread other(work, 500);
  work(100);
  other.join();
}

} // namespace
