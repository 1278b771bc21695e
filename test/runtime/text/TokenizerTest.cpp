#include "runtime/text/Tokenizer.h"
#include "TestFiles.h"

#include <chrono>

using namespace moec::rt::text;
using namespace moec::rt::text::test;

namespace {

using Ids = std::vector<int32_t>;

Tokenizer load(const Json &json, const std::string &config = "") {
  return Tokenizer::fromJson(json.dump(), config);
}

TEST(Tokenizer, LooksUpTokens) {
  Tokenizer t = load(tinyTokenizer({{"Ġ", "a"}}));
  EXPECT_EQ(t.vocabSize(), 257);
  EXPECT_EQ(t.tokenToId("Ġa"), 256);
  EXPECT_EQ(t.idToToken(256), "Ġa");
  EXPECT_EQ(t.tokenBytes(256), " a");
  EXPECT_EQ(t.tokenToId("none"), std::nullopt);
  EXPECT_EQ(t.idToToken(257), std::nullopt);
  EXPECT_EQ(t.idToToken(-1), std::nullopt);
  EXPECT_EQ(t.bosId(), std::nullopt);
}

TEST(Tokenizer, AddedTokensLongestWins) {
  Json json = tinyTokenizer();
  json["added_tokens"] = {addedToken(256, "<a>", true), addedToken(257, "<a><b>", false)};
  Tokenizer t = load(json);
  EXPECT_EQ(t.encode("<a><b><a>", false), (Ids{257, 256}));
  EXPECT_EQ(t.decode({257, 256, 'x'}, true), "<a><b>x");
}

TEST(Tokenizer, NormalizedTokensComeSecond) {
  Json json = tinyTokenizer();
  // The longer one is looked for only where the other left text.
  json["added_tokens"] = {addedToken(256, "ab", false, false), addedToken(257, "xab", false, true)};
  EXPECT_EQ(load(json).encode("xab", false), (Ids{'x', 256}));
}

TEST(Tokenizer, StripsWhiteSpaceAroundTokens) {
  Json json = tinyTokenizer();
  Json token = addedToken(256, "<m>", false);
  token["lstrip"] = true;
  token["rstrip"] = true;
  json["added_tokens"] = {token};
  Tokenizer t = load(json);
  EXPECT_EQ(t.encode("a \u3000<m>\n b", false), (Ids{'a', 256, 'b'}));
  EXPECT_EQ(t.encode("<m> <m> ", false), (Ids{256, 256}));
}

TEST(Tokenizer, SingleWordNeedsWordBoundaries) {
  Json json = tinyTokenizer();
  Json token = addedToken(256, "no", false);
  token["single_word"] = true;
  json["added_tokens"] = {token};
  Tokenizer t = load(json);
  EXPECT_EQ(t.encode("no-no", false), (Ids{256, '-', 256}));
  EXPECT_EQ(t.encode("noé", false).front(), 'n');
  EXPECT_EQ(t.encode("_no", false).back(), 'o');
  EXPECT_EQ(t.encode("éno", false).back(), 'o');
}

TEST(Tokenizer, AddedTokenMayNameAVocabularyToken) {
  Json json = tinyTokenizer();
  json["added_tokens"] = {addedToken('a', "a", true)};
  EXPECT_EQ(load(json).decode({'a', 'b'}, true), "b");
}

TEST(Tokenizer, ConfigSaysWhetherBosIsAdded) {
  Json json = tinyTokenizer();
  json["added_tokens"] = {addedToken(256, "<s>", true), addedToken(257, "</s>", true)};
  const char *both = R"({"bos_token": "<s>", "eos_token": {"content": "</s>"},
                         "add_bos_token": true, "add_eos_token": true})";
  EXPECT_EQ(load(json, both).encode("a", true), (Ids{256, 'a', 257}));
  EXPECT_EQ(load(json, both).encode("a", false), (Ids{'a'}));
  const char *none = R"({"bos_token": "<s>", "add_bos_token": false})";
  EXPECT_EQ(load(json, none).encode("a", true), (Ids{'a'}));
}

TEST(Tokenizer, PostProcessorAddsBosIfConfigIsSilent) {
  Json json = tinyTokenizer();
  json["added_tokens"] = {addedToken(256, "<s>", true)};
  json["post_processor"] = Json::parse(
      R"({"type": "Sequence", "processors": [{"type": "ByteLevel"},
          {"type": "TemplateProcessing", "single": [
             {"SpecialToken": {"id": "<s>", "type_id": 0}},
             {"Sequence": {"id": "A", "type_id": 0}}]}]})");
  EXPECT_EQ(load(json).encode("a", true), (Ids{256, 'a'}));
  EXPECT_EQ(load(json, R"({"bos_token": "<s>", "add_bos_token": false})").encode("a", true),
            (Ids{'a'}));
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8) {
  Tokenizer t = load(tinyTokenizer());
  expectHas(errorOf([&] { t.encode("ab\xff", false); }), "text is not valid UTF-8 (byte 2)");
}

TEST(Tokenizer, DecodesBrokenBytesAsReplacement) {
  Tokenizer t = load(tinyTokenizer());
  EXPECT_EQ(t.decode({0xE2, 0x82, 'a', 0xFF, -5, 99999}, false), "\uFFFDa\uFFFD");
}

TEST(Tokenizer, StreamHoldsIncompleteCharacters) {
  Tokenizer t = load(tinyTokenizer());
  StreamDecoder stream(t, false);
  EXPECT_EQ(stream.push(0xE2), "");
  EXPECT_EQ(stream.push(0x82), "");
  EXPECT_EQ(stream.push(0xAC), "€");
  EXPECT_EQ(stream.push(0xF0), "");
  EXPECT_EQ(stream.push('x'), "\uFFFDx");
  EXPECT_EQ(stream.push(0xC3), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.finish(), "");
}

TEST(Tokenizer, StreamEqualsDecodeOnAnyBytes) {
  Tokenizer t = load(tinyTokenizer());
  uint32_t state = 1;
  for (int round = 0; round < 2000; ++round) {
    Ids ids;
    StreamDecoder stream(t, false);
    std::string streamed;
    for (int i = 0; i < 12; ++i) {
      state = state * 1664525 + 1013904223;
      static constexpr uint8_t likely[] = {0xE2, 0x82, 0xAC, 0xF0, 0x9F,
                                           0x98, 0x80, 0xC3, 0xED, 0xA0};
      ids.push_back(state >> 30 ? likely[(state >> 16) % 10] : state >> 8 & 255);
      streamed += stream.push(ids.back());
    }
    EXPECT_EQ(streamed + stream.finish(), t.decode(ids, false));
  }
}

TEST(Tokenizer, AMegabyteOfOneWordIsQuick) {
  Tokenizer t = Tokenizer::fromJson(readSourceFile("models/tiny-r1/tokenizer.json"), "");
  for (const char *unit : {"a", "the", " ", "\n", "7", "$", "ab ", "é"}) {
    std::string text;
    while (text.size() < 1 << 20)
      text += unit;
    auto start = std::chrono::steady_clock::now();
    Ids ids = t.encode(text, false);
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    EXPECT_EQ(t.decode(ids, false), text);
    EXPECT_LT(took.count(), 20.0) << "unit '" << unit << "'";
  }
}

} // namespace
