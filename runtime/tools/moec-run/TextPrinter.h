// Streams generated text to standard output. On a terminal the reasoning part
// is dim and its tags are left out; elsewhere the text comes as it is.
#pragma once

#include "runtime/text/Reasoning.h"
#include "runtime/text/Tokenizer.h"

#include <optional>
#include <string_view>

namespace moec::rt {

/// Writes and flushes; throws Error(Io) when standard output is full or closed.
void writeOut(std::string_view text);

class TextPrinter {
public:
  /// `openedReasoning`: the chat template left "<think>" open, so the tag is
  /// printed for it.
  TextPrinter(const text::Tokenizer &tokenizer, bool openedReasoning);
  void push(int32_t token);
  /// What was held back, and a line break.
  void finish();
  /// All text of the model so far, tags included as the model wrote them.
  const std::string &written() const { return all; }

private:
  void print(const std::string &piece);
  void show(const text::ReasoningPiece &piece);

  text::StreamDecoder decoder;
  std::optional<text::ReasoningSplitter> splitter; // on a terminal
  bool dim = false, reasoned = false;
  std::string all;
};

} // namespace moec::rt
