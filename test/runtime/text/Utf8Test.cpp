#include "runtime/text/Utf8.h"
#include "TestFiles.h"
#include "runtime/text/ByteAlphabet.h"

using namespace moec::rt::text;

namespace {

TEST(Utf8, FindsTheFirstBadByte) {
  EXPECT_EQ(firstInvalidUtf8("aé漢😀"), std::string::npos);
  EXPECT_EQ(firstInvalidUtf8("a\x80"), 1u);
  EXPECT_EQ(firstInvalidUtf8("\xC0\x80"), 0u);         // overlong
  EXPECT_EQ(firstInvalidUtf8("a\xED\xA0\x80"), 1u);    // surrogate
  EXPECT_EQ(firstInvalidUtf8("\xF4\x90\x80\x80"), 0u); // above U+10FFFF
  EXPECT_EQ(firstInvalidUtf8("ab\xE2\x82"), 2u);       // cut short
}

TEST(Utf8, ReplacesMaximalSubparts) {
  EXPECT_EQ(utf8Lossy("a\xE2\x82z\xF0\x9F\x98"), "a\uFFFDz\uFFFD");
  EXPECT_EQ(utf8Lossy("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(utf8Lossy("\xFF\xFE"), "\uFFFD\uFFFD");
}

TEST(Utf8, EveryCodePointRoundTrips) {
  for (char32_t c = 0; c <= 0x10FFFF; c += 7) {
    if (c >= 0xD800 && c <= 0xDFFF)
      continue;
    std::string text;
    appendUtf8(text, c);
    Utf8Step step = utf8Step(text);
    EXPECT_EQ(step.kind, Utf8Step::Valid);
    EXPECT_EQ(step.codePoint, c);
    EXPECT_EQ(step.length, text.size());
  }
}

TEST(Utf8, MeasuresRuns) {
  EXPECT_EQ(runAtStart(" \u3000x", isWhiteSpace), 4u);
  EXPECT_EQ(runAtEnd("x\u3000 ", isWhiteSpace), 4u);
  EXPECT_EQ(runAtEnd("", isWhiteSpace), 0u);
}

TEST(ByteAlphabet, SpellsEveryByte) {
  for (int byte = 0; byte < 256; ++byte) {
    std::string one(1, char(byte));
    EXPECT_EQ(bytesOfSpelling(spellingOfBytes(one)), one);
  }
  EXPECT_EQ(spellingOfBytes(" \n"), "ĠĊ");
  EXPECT_EQ(bytesOfSpelling("<｜x"), std::nullopt);
  EXPECT_EQ(bytesOfSpelling("a b"), std::nullopt); // a space is spelled Ġ
}

} // namespace
