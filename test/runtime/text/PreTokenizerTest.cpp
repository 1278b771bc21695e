#include "runtime/text/PreTokenizer.h"
#include "TestFiles.h"
#include "runtime/text/RegexDialect.h"

using namespace moec::rt::text;
using namespace moec::rt::text::test;

namespace {

using Words = std::vector<std::string_view>;

Json byteLevel(bool useRegex = false) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", useRegex}};
}

Json splitStage(const std::string &regex) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", regex}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

PreTokenizer load(const std::vector<Json> &stages) {
  Json json = {{"type", "Sequence"}, {"pretokenizers", stages}};
  return PreTokenizer::fromJson(JsonView(json, "pre_tokenizer"));
}

Words split(const PreTokenizer &pre, std::string_view text) {
  return pre.split(text, RegexBudget(text.size()));
}

Words splitBy(const std::string &regex, std::string_view text) {
  return split(load({splitStage(regex), byteLevel()}), text);
}

TEST(PreTokenizer, IsolatesMatchesAndTheRest) {
  EXPECT_EQ(splitBy("\\p{N}{1,3}", "ab1234c"), (Words{"ab", "123", "4", "c"}));
  EXPECT_EQ(splitBy("x", ""), Words{});
}

TEST(PreTokenizer, EachStageSeesOnlyItsPiece) {
  PreTokenizer pre = load({splitStage("-"), splitStage("^a"), byteLevel()});
  EXPECT_EQ(split(pre, "aa-aa"), (Words{"a", "a", "-", "a", "a"}));
}

TEST(PreTokenizer, EmptyMatchesCutButYieldNothing) {
  EXPECT_EQ(splitBy("(?=b)", "abb"), (Words{"a", "b", "b"}));
  EXPECT_EQ(splitBy("b*", "abbé"), (Words{"a", "bb", "é"}));
}

TEST(PreTokenizer, Digits) {
  Json each = {{"type", "Digits"}, {"individual_digits", true}};
  Json runs = {{"type", "Digits"}, {"individual_digits", false}};
  EXPECT_EQ(split(load({each, byteLevel()}), "a12½"), (Words{"a", "1", "2", "½"}));
  EXPECT_EQ(split(load({runs, byteLevel()}), "a12½"), (Words{"a", "12½"}));
}

TEST(PreTokenizer, SplitsAtAString) {
  Json stage = splitStage("");
  stage["pattern"] = {{"String", "a.b"}};
  EXPECT_EQ(split(load({stage, byteLevel()}), "xa.bxacb"), (Words{"x", "a.b", "xacb"}));
}

TEST(PreTokenizer, ByteLevelRegexIsGpt2s) {
  EXPECT_EQ(split(load({byteLevel(true)}), "I'll go 12  x"),
            (Words{"I", "'ll", " go", " 12", " ", " x"}));
}

TEST(PreTokenizer, QwenAndLlamaPatternSplits) {
  const std::string pattern =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
      " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  EXPECT_EQ(splitBy(pattern, "We'LL see 1234 \n x"),
            (Words{"We", "'LL", " see", " ", "123", "4", " \n", " x"}));
}

// Oniguruma's classes are Unicode's; PCRE2's own differ at these places.
TEST(PreTokenizer, ClassesAreOnigurumas) {
  EXPECT_EQ(splitBy("\\s+", "a\u180Eb"), (Words{"a\u180Eb"}));
  EXPECT_EQ(splitBy("\\s+", "a\u3000\u0085b"), (Words{"a", "\u3000\u0085", "b"}));
  EXPECT_EQ(splitBy("\\w+", "e\u0301\u203Fx!"), (Words{"e\u0301\u203Fx", "!"}));
  EXPECT_EQ(splitBy("^b", "a\nb"), (Words{"a\n", "b"}));
  EXPECT_EQ(splitBy("\\p{Han}+", "漢\u3001"), (Words{"漢", "\u3001"}));
}

TEST(PreTokenizer, ClassesIntersect) {
  EXPECT_EQ(splitBy("[\\p{L}&&[^\\p{Han}]]+", "ab漢c1"), (Words{"ab", "漢", "c", "1"}));
  EXPECT_EQ(splitBy("[a-f&&[c-z]]", "bcdg"), (Words{"b", "c", "d", "g"}));
}

TEST(PreTokenizer, RefusesRegexesThatMeanSomethingElse) {
  const std::pair<const char *, const char *> faults[] = {
      {"\\b", "construct '\\b' at byte 0 is not supported"},
      {"a\\h", "construct '\\h' at byte 1"},
      {"(a)\\1", "construct '\\1'"},
      {"[[:alpha:]]", "'[' at byte 1 inside a character class"},
      {"[a&&b]", "'&&' at byte 2 inside a character class is supported only as"},
      {"[^a&&[b]]", "'&&' at byte 3 inside a character class"},
      {"[a&&[b]c]", "'&&' at byte 7 inside a character class"},
      {"[a&&[b&&[c]]]", "'&&' at byte 6 twice in a character class"},
      {"[a&&[b", "'[' at byte 4 has no closing bracket"},
      {"[]", "(an empty class)"},
      {"[^\\W]", "'\\W' at byte 2 inside a character class"},
      {"[a", "'[' at byte 0 has no closing bracket"},
      {"a\\", "ends the pattern"},
      {"a{,3}", "is no {n}, {n,} or {n,m}"},
      {"a{2}+", "'}+'"},
      {"(?<n>a)", "'(?<'"},
      {"(?x)", "'(?x'"},
      {"(*LIMIT_MATCH=9)", "'(*'"},
      {"\\pL", "needs a property name in braces"},
      {"\\p{^L}", "'\\p{^L}'"},
      {"\\x{zz}", "is no hexadecimal code"},
      {"\\u12", "is no hexadecimal code"},
      {"\\p{Nonsense}", "not a usable regex"},
      {"(", "not a usable regex"},
  };
  for (auto [pattern, says] : faults) {
    SCOPED_TRACE(pattern);
    std::string error = errorOf([&] { splitBy(pattern, ""); });
    expectHas(error, says);
    expectHas(error, "pre_tokenizer.pretokenizers[0].pattern.Regex");
  }
  expectHas(errorOf([] { splitBy(std::string(20000, 'a'), ""); }), "pattern of 20000 bytes");
}

TEST(PreTokenizer, RegexWithoutEndIsAnErrorNotAHang) {
  std::string text(60, 'a');
  expectHas(errorOf([&] { splitBy("(a+)+$(?<!a)", text + "!"); }), "the pattern gave up at byte 0");
}

TEST(PreTokenizer, RefusesWhatItDoesNotKnow) {
  auto refused = [](std::vector<Json> stages, const char *says) {
    expectHas(errorOf([&] { load(stages); }), says);
  };
  Json removed = splitStage("a");
  removed["behavior"] = "Removed";
  refused({removed, byteLevel()}, "behavior is \"Removed\"");
  Json inverted = splitStage("a");
  inverted["invert"] = true;
  refused({inverted, byteLevel()}, "invert is true");
  Json neither = splitStage("a");
  neither["pattern"] = Json::object();
  refused({neither, byteLevel()}, "supported: an object with the key Regex");
  neither["pattern"] = {{"String", ""}};
  refused({neither, byteLevel()}, "a string that is not empty");
  refused({{{"type", "Metaspace"}}}, "type is \"Metaspace\"");
  refused({splitStage("a")}, "has no ByteLevel");
  refused({byteLevel(), splitStage("a")}, "is a Split after ByteLevel");
  Json both = byteLevel(true);
  both["add_prefix_space"] = true;
  refused({both}, "add_prefix_space with use_regex");
  refused({3}, "pre_tokenizer.pretokenizers[0] is 3, expected an object");
}

} // namespace
