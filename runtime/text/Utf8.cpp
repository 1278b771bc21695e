#include "runtime/text/Utf8.h"
#include "runtime/text/TextError.h"

namespace moec::rt::text {

namespace {

// The shape of a character by its first byte; the second byte's range excludes
// overlong forms, surrogates and what lies above U+10FFFF.
struct Lead {
  size_t length = 0; // 0: no character starts with this byte
  unsigned char secondLow = 0x80, secondHigh = 0xBF;
};

Lead leadOf(unsigned char byte) {
  if (byte < 0x80)
    return {1};
  if (byte >= 0xC2 && byte <= 0xDF)
    return {2};
  if (byte == 0xE0)
    return {3, 0xA0, 0xBF};
  if (byte == 0xED)
    return {3, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF)
    return {3};
  if (byte == 0xF0)
    return {4, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3)
    return {4};
  if (byte == 0xF4)
    return {4, 0x80, 0x8F};
  return {};
}

} // namespace

Utf8Step utf8Step(std::string_view bytes) {
  auto byteAt = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  Lead lead = leadOf(byteAt(0));
  if (lead.length == 0)
    return {Utf8Step::Invalid, 1, 0};
  if (lead.length == 1)
    return {Utf8Step::Valid, 1, byteAt(0)};
  char32_t codePoint = byteAt(0) & (0x7Fu >> lead.length);
  for (size_t i = 1; i < lead.length; ++i) {
    if (i == bytes.size())
      return {Utf8Step::Incomplete, i, 0};
    unsigned char low = i == 1 ? lead.secondLow : 0x80;
    unsigned char high = i == 1 ? lead.secondHigh : 0xBF;
    if (byteAt(i) < low || byteAt(i) > high)
      return {Utf8Step::Invalid, i, 0};
    codePoint = codePoint << 6 | (byteAt(i) & 0x3Fu);
  }
  return {Utf8Step::Valid, lead.length, codePoint};
}

size_t firstInvalidUtf8(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    Utf8Step step = utf8Step(bytes.substr(at));
    if (step.kind != Utf8Step::Valid)
      return at;
    at += step.length;
  }
  return std::string_view::npos;
}

void requireUtf8(std::string_view bytes, std::string_view what) {
  size_t at = firstInvalidUtf8(bytes);
  if (at != std::string_view::npos)
    throw TextError(std::string(what) + " is not valid UTF-8 (byte " + std::to_string(at) +
                    "); convert it to UTF-8 first");
}

void appendUtf8(std::string &out, char32_t codePoint) {
  auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (codePoint < 0x80) {
    put(codePoint);
  } else if (codePoint < 0x800) {
    put(0xC0 | codePoint >> 6);
    put(0x80 | (codePoint & 0x3F));
  } else if (codePoint < 0x10000) {
    put(0xE0 | codePoint >> 12);
    put(0x80 | (codePoint >> 6 & 0x3F));
    put(0x80 | (codePoint & 0x3F));
  } else {
    put(0xF0 | codePoint >> 18);
    put(0x80 | (codePoint >> 12 & 0x3F));
    put(0x80 | (codePoint >> 6 & 0x3F));
    put(0x80 | (codePoint & 0x3F));
  }
}

void drainUtf8(std::string &bytes, std::string &out) {
  std::string_view rest = bytes;
  while (!rest.empty()) {
    Utf8Step step = utf8Step(rest);
    if (step.kind == Utf8Step::Incomplete)
      break;
    if (step.kind == Utf8Step::Valid)
      out.append(rest.substr(0, step.length));
    else
      appendUtf8(out, 0xFFFD);
    rest.remove_prefix(step.length);
  }
  bytes.erase(0, bytes.size() - rest.size());
}

std::string utf8Lossy(std::string_view bytes) {
  std::string pending(bytes), out;
  out.reserve(bytes.size());
  drainUtf8(pending, out);
  if (!pending.empty())
    appendUtf8(out, 0xFFFD);
  return out;
}

bool isWhiteSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool isPythonSpace(char32_t c) { return isWhiteSpace(c) || (c >= 0x1C && c <= 0x1F); }

size_t runAtStart(std::string_view text, bool (*pred)(char32_t)) {
  size_t at = 0;
  while (at < text.size()) {
    Utf8Step step = utf8Step(text.substr(at));
    if (step.kind != Utf8Step::Valid || !pred(step.codePoint))
      break;
    at += step.length;
  }
  return at;
}

size_t lastCharStart(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80)
    --at;
  return at;
}

size_t runAtEnd(std::string_view text, bool (*pred)(char32_t)) {
  std::string_view rest = text;
  while (!rest.empty()) {
    size_t start = lastCharStart(rest);
    Utf8Step step = utf8Step(rest.substr(start));
    if (step.kind != Utf8Step::Valid || !pred(step.codePoint))
      break;
    rest = rest.substr(0, start);
  }
  return text.size() - rest.size();
}

} // namespace moec::rt::text
