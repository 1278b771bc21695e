// The byte-level alphabet of GPT-2's tokenizer: each of the 256 bytes is
// written as one printable character, so that vocabularies are plain strings
// (a space is 'Ġ', a newline 'Ċ').
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace moec::rt::text {

// The character that stands for a byte.
char32_t byteLevelChar(unsigned char byte);

// The bytes behind a token's spelling; nothing if a character of it stands for
// no byte (as in special tokens such as '<｜User｜>').
std::optional<std::string> bytesOfSpelling(std::string_view spelling);

// The spelling of bytes, e.g. " a" -> "Ġa".
std::string spellingOfBytes(std::string_view bytes);

} // namespace moec::rt::text
