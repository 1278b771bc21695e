// The "decoder" of a tokenizer.json: which bytes a token's spelling stands for.
// Either ByteLevel (a byte a character), or SentencePiece's sequence: '▁' for
// a space, '<0x41>' for a byte, and the text's first space left out.
#pragma once

#include "runtime/text/JsonView.h"

#include <optional>
#include <string>
#include <string_view>

namespace moec::rt::text {

// '<0x41>' for the byte 65, as vocabularies with byte_fallback write it.
std::string fallbackToken(unsigned char byte);
// The byte that '<0x41>' spells; nothing for any other spelling.
std::optional<unsigned char> byteOfFallbackToken(std::string_view spelling);

class TokenDecoder {
public:
  static TokenDecoder fromJson(const JsonView &decoder);

  bool isByteLevel() const { return byteLevel; }
  bool stripsFirstSpace() const { return firstSpaceStripped; }
  std::string bytesOf(const std::string &spelling) const;

private:
  void readSequence(const JsonView &list);

  bool byteLevel = true;
  bool firstSpaceStripped = false;
  std::string from, to; // replaced in spellings that are no byte's
};

} // namespace moec::rt::text
