// Byte-pair encoding: the vocabulary and the ranked merges of a tokenizer.json
// "model", and the merge loop. Merging begins at bytes, or, with byte_fallback,
// at characters, of which those that the vocabulary lacks become bytes. A word
// of n bytes takes O(n log n) whatever its shape.
#pragma once

#include "runtime/text/JsonView.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace moec::rt::text {

class BpeModel {
public:
  static constexpr int64_t maxTokenId = (1 << 20) - 1;

  static BpeModel fromJson(const JsonView &model);

  // False: characters, with bytes as a fallback.
  bool isByteLevel() const { return !byteFallback; }

  // Appends the tokens of one pre-tokenized word, given as raw bytes (valid
  // UTF-8 with byte_fallback).
  void encodeWord(std::string_view word, std::vector<int32_t> &ids) const;

  // Spelling as in the file (" a" is "Ġa" or "▁a") -> id.
  const std::unordered_map<std::string, int32_t> &vocab() const { return idOfSpelling; }

private:
  struct Merge {
    uint32_t rank;
    int32_t id; // the token that the pair becomes
  };
  struct Scratch;

  void readVocab(const JsonView &vocab);
  void readBytes(const JsonView &vocab);
  void readMerges(const JsonView &merges);
  void addMerge(const JsonView &at, const std::string &left, const std::string &right,
                uint32_t rank);
  const Merge *mergeOf(int32_t left, int32_t right) const;
  void mergeAll(Scratch &scratch) const;
  void addSymbols(std::string_view word, Scratch &scratch) const;

  std::unordered_map<std::string, int32_t> idOfSpelling;
  std::unordered_map<std::string, int32_t> idOfBytes; // only if ignoreMerges
  std::unordered_map<char32_t, int32_t> idOfChar;     // only if byteFallback
  std::array<int32_t, 256> idOfByte{};
  std::unordered_map<uint64_t, Merge> merges; // left id << 32 | right id
  bool ignoreMerges = false;                  // a word that is a token is not merged up to it
  bool byteFallback = false;
};

} // namespace moec::rt::text
