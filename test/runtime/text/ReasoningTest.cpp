#include "runtime/text/Reasoning.h"

#include <gtest/gtest.h>

using namespace moec::rt::text;

namespace {

// Feeds `text` in pieces of `size` bytes; returns "reasoning|answer".
std::string feed(std::string_view text, bool opened, size_t size) {
  ReasoningSplitter splitter(opened);
  ReasoningPiece all;
  auto take = [&](ReasoningPiece piece) {
    all.reasoning += piece.reasoning;
    all.answer += piece.answer;
  };
  for (size_t at = 0; at < text.size(); at += size)
    take(splitter.push(text.substr(at, size)));
  take(splitter.finish());
  return all.reasoning + "|" + all.answer;
}

struct Case {
  const char *text;
  bool opened;
  const char *expected;
};

TEST(Reasoning, SplitsWhereverThePiecesEnd) {
  const Case cases[] = {
      {"I add.\n</think>\n\n43", true, "I add.\n|43"},
      {"<think>\nI add.</think>43", false, "I add.|43"},
      {" \n<think>x</think>y", false, "x|y"},
      {"plain answer", false, "|plain answer"},
      {"a <think> b", false, "|a <think> b"},
      {"</think>now", true, "|now"},
      {"never closed </thin", true, "never closed </thin|"},
      {"a <</think>b", true, "a <|b"},
      {"x</think>a</think>b", true, "x|a</think>b"},
      {"<thi", false, "|<thi"},
      {"  ", false, "|  "},
      {"", true, "|"},
  };
  for (const Case &one : cases)
    for (size_t size = 1; size < 20; ++size)
      EXPECT_EQ(feed(one.text, one.opened, size), one.expected) << one.text << " by " << size;
}

TEST(Reasoning, SplitsWholeTexts) {
  ReasoningPiece piece = splitReasoning("I add.\n</think>\n\n43\n", true);
  EXPECT_EQ(piece.reasoning, "I add.\n");
  EXPECT_EQ(piece.answer, "43\n");
  EXPECT_EQ(splitReasoning("<think>\nI add", false).reasoning, "I add");
  EXPECT_EQ(splitReasoning("43", false).answer, "43");
}

TEST(Reasoning, HoldsBackOnlyWhatMayBeATag) {
  ReasoningSplitter splitter(true);
  EXPECT_EQ(splitter.push("hello </th").reasoning, "hello ");
  EXPECT_TRUE(splitter.inReasoning());
  EXPECT_EQ(splitter.push("ey").reasoning, "</they");
}

TEST(Reasoning, SeesAnOpenPrompt) {
  EXPECT_TRUE(ReasoningSplitter::promptOpensReasoning("<A><think>\n"));
  EXPECT_FALSE(ReasoningSplitter::promptOpensReasoning("<think></think>\n"));
  EXPECT_TRUE(ReasoningSplitter::promptOpensReasoning("<|im_start|>assistant\n<think>\n"));
  EXPECT_FALSE(ReasoningSplitter::promptOpensReasoning("assistant\n<think>\n\n</think>\n\n"));
  EXPECT_FALSE(ReasoningSplitter::promptOpensReasoning(""));
}

} // namespace
