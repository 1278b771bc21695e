// UTF-8 and the little Unicode that the tokenizer and the chat template need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace moec::rt::text {

// What stands at the front of a byte string.
struct Utf8Step {
  enum Kind { Valid, Invalid, Incomplete };
  Kind kind;
  // Bytes of the character, or of the broken part that one U+FFFD stands for
  // (Unicode's "maximal subpart"). At least 1.
  size_t length;
  char32_t codePoint; // meaningful when Valid
};

// Looks at the first character of a non-empty string. Incomplete: the string
// ends inside a character that more bytes could still complete.
Utf8Step utf8Step(std::string_view bytes);

// Offset of the first byte that is not part of well-formed UTF-8, or npos.
size_t firstInvalidUtf8(std::string_view bytes);

// Throws TextError "<what> is not valid UTF-8 (byte N)".
void requireUtf8(std::string_view bytes, std::string_view what);

void appendUtf8(std::string &out, char32_t codePoint);

// Moves the longest decodable front of `bytes` to `out`, broken parts as
// U+FFFD; an incomplete character at the end stays behind in `bytes`.
void drainUtf8(std::string &bytes, std::string &out);

// Every broken part becomes U+FFFD, as Rust's String::from_utf8_lossy does.
std::string utf8Lossy(std::string_view bytes);

// Unicode property White_Space.
bool isWhiteSpace(char32_t codePoint);

// What Python's str.strip() removes: White_Space and U+001C to U+001F.
bool isPythonSpace(char32_t codePoint);

// Byte length of the run at the front / end whose characters satisfy `pred`.
size_t runAtStart(std::string_view text, bool (*pred)(char32_t));
size_t runAtEnd(std::string_view text, bool (*pred)(char32_t));

// Offset where the last character of a non-empty valid string starts.
size_t lastCharStart(std::string_view text);

} // namespace moec::rt::text
