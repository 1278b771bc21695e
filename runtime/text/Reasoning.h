// Splits what a reasoning model writes at "</think>" into its reasoning and its
// answer, while the text arrives in pieces of any size.
#pragma once

#include <string>
#include <string_view>

namespace moec::rt::text {

struct ReasoningPiece {
  std::string reasoning; // text between the tags
  std::string answer;    // text after "</think>", or all if there is no tag
};

class ReasoningSplitter {
public:
  // `openedByPrompt`: the prompt ended inside "<think>", as R1's template
  // leaves it, so the first piece is reasoning already. Otherwise reasoning
  // begins only if the text itself starts with "<think>" (white space before
  // it is dropped with the tag).
  explicit ReasoningSplitter(bool openedByPrompt) : state(openedByPrompt ? Reasoning : Start) {}

  // True if a rendered prompt leaves "<think>" open at its end.
  static bool promptOpensReasoning(std::string_view prompt);

  // Text that could be the beginning of a tag is held back until it is clear.
  // The tags themselves and the line breaks that follow them are left out.
  ReasoningPiece push(std::string_view piece);
  ReasoningPiece finish(); // what was held back
  bool inReasoning() const { return state == Reasoning; }

private:
  enum State { Start, Reasoning, Answer };
  bool step(ReasoningPiece &out);
  bool stepStart();
  bool stepReasoning(ReasoningPiece &out);
  void dropLineBreaks();

  State state;
  bool atPartStart = false; // right after a tag: line breaks are dropped
  std::string held;
};

// All of a model's text at once.
ReasoningPiece splitReasoning(std::string_view text, bool openedByPrompt);

} // namespace moec::rt::text
