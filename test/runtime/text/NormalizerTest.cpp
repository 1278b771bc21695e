#include "runtime/text/Normalizer.h"
#include "TestFiles.h"

using namespace moec::rt::text;
using namespace moec::rt::text::test;

namespace {

std::string normalized(const Json &json, std::string_view text) {
  return Normalizer::fromJson(JsonView(json, "normalizer")).apply(text);
}

TEST(Normalizer, NormalForms) {
  EXPECT_EQ(normalized({{"type", "NFC"}}, "e\u0301 \u212B a\u0307\u0323 \u1112\u1161\u11AB \uFB01"),
            "\u00E9 \u00C5 \u1EA1\u0307 \uD55C \uFB01");
  EXPECT_EQ(normalized({{"type", "NFD"}}, "\u00E9\uD55C"), "e\u0301\u1112\u1161\u11AB");
  EXPECT_EQ(normalized({{"type", "NFKC"}}, "\uFB01\uFF21e\u0301"), "fiA\u00E9");
  EXPECT_EQ(normalized({{"type", "NFKD"}}, "\u00E9\u2460"), "e\u03011");
  EXPECT_EQ(normalized({{"type", "NFC"}}, std::string_view("a\0b\u0344", 5)),
            std::string_view("a\0b\u0308\u0301", 7));
}

TEST(Normalizer, SequencesApplyInOrder) {
  Json json = Json::parse(R"({"type": "Sequence", "normalizers": [
      {"type": "Prepend", "prepend": "_"},
      {"type": "Replace", "pattern": {"String": " "}, "content": "_"}]})");
  EXPECT_EQ(normalized(json, "a  b"), "_a__b");
  EXPECT_EQ(normalized(json, ""), "");
  EXPECT_EQ(normalized({{"type", "Sequence"}, {"normalizers", Json::array()}}, "a b"), "a b");
  EXPECT_TRUE(Normalizer::fromJson(JsonView(Json(), "normalizer")).isIdentity());
}

TEST(Normalizer, BoundsGrowth) {
  Json doubling = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};
  Json list = Json::array();
  for (int i = 0; i < 32; ++i)
    list.push_back(doubling);
  Json json = {{"type", "Sequence"}, {"normalizers", list}};
  expectHas(errorOf([&] { normalized(json, "a"); }), "would make it longer than 65600 bytes");
  json["normalizers"].push_back(doubling);
  expectHas(errorOf([&] { normalized(json, ""); }), "supported: at most 32 normalizers");
  Json longOne = {{"type", "Prepend"}, {"prepend", std::string(65, 'x')}};
  expectHas(errorOf([&] { normalized(longOne, ""); }), "supported: at most 64 bytes");
}

TEST(Normalizer, RefusesOthersByName) {
  for (const char *type : {"Lowercase", "Strip", "BertNormalizer", "Precompiled"})
    expectHas(errorOf([&] { normalized({{"type", type}}, ""); }),
              std::string("normalizer.type is \"") + type +
                  "\", which is not supported; "
                  "supported: NFC, NFD");
}

} // namespace
