// Added tokens: strings that are found in the text before anything else and
// become one token each, such as "<｜User｜>". As Hugging Face does it: first
// those that are not "normalized"; what is left goes through the normalizer,
// and there the others are found; at one place the longest wins.
#pragma once

#include "runtime/text/Normalizer.h"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace moec::rt::text {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;    // left out by decode(skipSpecial)
  bool normalized = false; // matched in normalized text, itself normalized
  bool lstrip = false;     // also takes the white space before it
  bool rstrip = false;     // also takes the white space after it
  bool singleWord = false; // only between characters that are no word's
};

// A stretch of text: an added token (id >= 0) or text still to be encoded.
struct TextSpan {
  std::string_view text;
  int32_t id = -1;
  bool atStart = false; // nothing stands before it
};

// The spans of a text, in order, none empty but a token's.
struct SplitText {
  std::vector<TextSpan> spans;
  std::deque<std::string> normalized; // what the views look at, if not the text
};

class AddedTokens {
public:
  static constexpr size_t maxContentBytes = 512;

  void add(AddedToken token, const Normalizer &normalizer);

  // `text` is valid UTF-8 and outlives the result.
  SplitText split(std::string_view text, const Normalizer &normalizer) const;

private:
  // The contents of one round as a byte trie.
  class Trie {
  public:
    void insert(std::string_view content, int32_t tokenIndex);
    // The longest content that `text` starts with: index, or -1.
    int32_t longestAt(std::string_view text) const;
    bool empty() const { return tokenAt.size() == 1; }

  private:
    std::unordered_map<uint64_t, uint32_t> edges; // node << 8 | byte -> node
    std::vector<int32_t> tokenAt{-1};             // per node
    bool first[256] = {};
  };

  void splitRound(const Trie &trie, TextSpan whole, std::vector<TextSpan> &spans) const;

  std::vector<AddedToken> tokens;
  Trie raw, normalized;
};

} // namespace moec::rt::text
