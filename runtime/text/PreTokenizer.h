// Cuts text into the words that BPE works on: the "pre_tokenizer" of a
// tokenizer.json. Either a sequence of Split, Digits and, last, ByteLevel; or,
// for vocabularies with byte_fallback, Metaspace or none at all.
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

  bool isByteLevel() const { return byteLevelSeen; }

  // Metaspace writes spaces as '▁' and puts one in front; others leave the
  // text as it is. `atStart`: nothing stands before this text.
  bool rewrites() const { return !spaceMark.empty(); }
  std::string rewrite(std::string_view text, bool atStart) const;

  // The words of `text` (valid UTF-8, rewritten, no added tokens), in order. With
  // addPrefixSpace() each that does not start with a space gets one, which is
  // the caller's to do.
  std::vector<std::string_view> split(std::string_view text, const RegexBudget &budget) const;
  bool addPrefixSpace() const { return prefixSpace; }

private:
  void addStage(const JsonView &stage);
  void addSplit(const JsonView &stage);
  void addByteLevel(const JsonView &stage);
  void readMetaspace(const JsonView &metaspace);

  std::vector<SplitRegex> stages; // each cuts the pieces of the one before
  bool prefixSpace = false;
  bool byteLevelSeen = false;
  std::string spaceMark; // Metaspace's replacement
  enum { Never, First, Always } markInFront = Always;
};

} // namespace moec::rt::text
