// Added tokens: strings that are found in the text before anything else and
// become one token each, such as "<｜User｜>". As Hugging Face does it: first
// those that are not "normalized", then, in what is left, the others; at one
// place the longest wins.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace moec::rt::text {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;    // left out by decode(skipSpecial)
  bool normalized = false; // matched in the second round
  bool lstrip = false;     // also takes the white space before it
  bool rstrip = false;     // also takes the white space after it
  bool singleWord = false; // only between characters that are no word's
};

// A stretch of text: an added token (id >= 0) or text still to be encoded.
struct TextSpan {
  std::string_view text;
  int32_t id = -1;
};

class AddedTokens {
public:
  static constexpr size_t maxContentBytes = 512;

  void add(AddedToken token);

  // Cuts valid UTF-8 text into spans, in order, none empty but a token's.
  std::vector<TextSpan> split(std::string_view text) const;

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

  void splitRound(const Trie &trie, std::string_view text, std::vector<TextSpan> &spans) const;

  std::vector<AddedToken> tokens;
  Trie raw, normalized;
};

} // namespace moec::rt::text
