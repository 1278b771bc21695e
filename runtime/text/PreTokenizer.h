// Cuts text into the words that BPE works on: the "pre_tokenizer" of a
// tokenizer.json, a sequence of Split, Digits and, last, ByteLevel.
#pragma once

#include "runtime/text/JsonView.h"
#include "runtime/text/SplitRegex.h"

#include <string>
#include <string_view>
#include <vector>

namespace moec::rt::text {

class PreTokenizer {
public:
  static PreTokenizer fromJson(const JsonView &preTokenizer);

  // The words of `text` (valid UTF-8, no added tokens), in order. With
  // addPrefixSpace() each that does not start with a space gets one, which is
  // the caller's to do.
  std::vector<std::string_view> split(std::string_view text, const RegexBudget &budget) const;
  bool addPrefixSpace() const { return prefixSpace; }

private:
  void addStage(const JsonView &stage);
  void addSplit(const JsonView &stage);
  void addByteLevel(const JsonView &stage);

  std::vector<SplitRegex> stages; // each cuts the pieces of the one before
  bool prefixSpace = false;
  bool byteLevelSeen = false;
};

} // namespace moec::rt::text
