#include "runtime/text/Reasoning.h"

#include <algorithm>

namespace moec::rt::text {

namespace {

constexpr std::string_view openTag = "<think>";
constexpr std::string_view closeTag = "</think>";
constexpr std::string_view spaces = " \t\r\n";

// Bytes at the end of `text` that may be the beginning of `tag`.
size_t tagStartAtEnd(std::string_view text, std::string_view tag) {
  size_t length = std::min(text.size(), tag.size() - 1);
  while (length > 0 && text.substr(text.size() - length) != tag.substr(0, length))
    --length;
  return length;
}

} // namespace

bool ReasoningSplitter::promptOpensReasoning(std::string_view prompt) {
  size_t last = prompt.find_last_not_of(spaces);
  return last != std::string_view::npos && prompt.substr(0, last + 1).ends_with(openTag);
}

void ReasoningSplitter::dropLineBreaks() {
  if (!atPartStart)
    return;
  held.erase(0, held.find_first_not_of("\r\n"));
  atPartStart = held.empty();
}

// Each step returns whether the state changed and held text may now be used.
bool ReasoningSplitter::stepStart() {
  size_t first = held.find_first_not_of(spaces);
  if (first == std::string::npos)
    return false;
  std::string_view text = std::string_view(held).substr(first);
  if (text.starts_with(openTag)) {
    held.erase(0, first + openTag.size());
    state = Reasoning;
    atPartStart = true;
    return true;
  }
  if (openTag.starts_with(text))
    return false;
  state = Answer;
  return true;
}

bool ReasoningSplitter::stepReasoning(ReasoningPiece &out) {
  dropLineBreaks();
  size_t tag = held.find(closeTag);
  if (tag == std::string::npos) {
    size_t sure = held.size() - tagStartAtEnd(held, closeTag);
    out.reasoning.append(held, 0, sure);
    held.erase(0, sure);
    return false;
  }
  out.reasoning.append(held, 0, tag);
  held.erase(0, tag + closeTag.size());
  state = Answer;
  atPartStart = true;
  return true;
}

bool ReasoningSplitter::step(ReasoningPiece &out) {
  if (state == Start)
    return stepStart();
  if (state == Reasoning)
    return stepReasoning(out);
  dropLineBreaks();
  out.answer.append(held);
  held.clear();
  return false;
}

ReasoningPiece ReasoningSplitter::push(std::string_view piece) {
  held.append(piece);
  ReasoningPiece out;
  while (step(out))
    ;
  return out;
}

ReasoningPiece ReasoningSplitter::finish() {
  ReasoningPiece out;
  (state == Reasoning ? out.reasoning : out.answer).append(held);
  held.clear();
  return out;
}

ReasoningPiece splitReasoning(std::string_view text, bool openedByPrompt) {
  ReasoningSplitter splitter(openedByPrompt);
  ReasoningPiece all = splitter.push(text), rest = splitter.finish();
  all.reasoning += rest.reasoning;
  all.answer += rest.answer;
  return all;
}

} // namespace moec::rt::text
