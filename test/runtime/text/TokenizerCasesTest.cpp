// Every case that Hugging Face's tokenizers library wrote down for two files:
// ids, decoded text, streamed text.
#include "TestFiles.h"
#include "runtime/text/Tokenizer.h"

using namespace moec::rt::text;
using namespace moec::rt::text::test;

namespace {

void checkCase(const Tokenizer &tokenizer, const Json &one) {
  SCOPED_TRACE(one["text"].dump());
  std::string text = one["text"];
  std::vector<int32_t> ids = one["ids"];
  EXPECT_EQ(tokenizer.encode(text, /*addSpecial=*/false), ids);
  EXPECT_EQ(tokenizer.decode(ids, false), one["decoded"].get<std::string>());
  EXPECT_EQ(tokenizer.decode(ids, true), one["decoded_skip_special"].get<std::string>());
  ASSERT_EQ(one["tokens"].size(), ids.size());
  for (size_t i = 0; i < ids.size(); ++i)
    EXPECT_EQ(tokenizer.idToToken(ids[i]), one["tokens"][i].get<std::string>());

  StreamDecoder stream(tokenizer, /*skipSpecial=*/true);
  std::string streamed;
  for (int32_t id : ids)
    streamed += stream.push(id);
  streamed += stream.finish();
  EXPECT_EQ(streamed, one["decoded_skip_special"].get<std::string>());
}

void checkFile(const Tokenizer &tokenizer, const Json &file) {
  EXPECT_EQ(tokenizer.vocabSize(), file["vocab_size_with_added"].get<int>());
  ASSERT_EQ(file["cases"].size(), 316u);
  for (const Json &one : file["cases"])
    checkCase(tokenizer, one);
  for (const Json &chat : file["chats"]) {
    std::vector<int32_t> ids = chat["ids"];
    EXPECT_EQ(tokenizer.encode(chat["text"].get<std::string>(), false), ids);
  }
}

TEST(TokenizerCases, TinyR1) {
  Tokenizer tokenizer = Tokenizer::fromJson(readSourceFile("models/tiny-r1/tokenizer.json"),
                                            readSourceFile("models/tiny-r1/tokenizer_config.json"));
  checkFile(tokenizer, Json::parse(readSourceFile("models/tiny-r1/tokenizer_cases.json")));
  EXPECT_EQ(tokenizer.encode("a", true), (std::vector<int32_t>{0, 67}));
  EXPECT_EQ(tokenizer.bosToken(), "<｜begin▁of▁sentence｜>");
  EXPECT_EQ(tokenizer.eosId(), 1);
}

TEST(TokenizerCases, DeepseekV3) {
  const std::string folder = "test/runtime/text/Inputs/deepseek_v3/";
  Tokenizer tokenizer = Tokenizer::fromJson(readSourceXz(folder + "tokenizer.json.xz"),
                                            readSourceFile(folder + "tokenizer_config.json"));
  checkFile(tokenizer, Json::parse(readSourceFile(folder + "cases.json")));
}

} // namespace
