#include "runtime/text/TokenDecoder.h"
#include "runtime/text/ByteAlphabet.h"
#include "runtime/text/Normalizer.h"

#include <charconv>

namespace moec::rt::text {

namespace {

constexpr const char *supported =
    "ByteLevel, or the Sequence Replace (of a string), ByteFallback, Fuse and, if any, "
    "Strip (of one space at the start)";

void checkStrip(const JsonView &strip) {
  bool oneSpaceInFront = strip.at("content").asString() == " " && strip.at("start").asInt() == 1 &&
                         strip.at("stop").asInt() == 0;
  if (!oneSpaceInFront)
    strip.unsupported("content \" \", start 1, stop 0");
}

} // namespace

std::string fallbackToken(unsigned char byte) {
  static constexpr char digits[] = "0123456789ABCDEF";
  return {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
}

std::optional<unsigned char> byteOfFallbackToken(std::string_view spelling) {
  if (spelling.size() != 6 || !spelling.starts_with("<0x") || !spelling.ends_with(">"))
    return std::nullopt;
  unsigned char byte = 0;
  const char *end = spelling.data() + 5;
  auto [stop, error] = std::from_chars(spelling.data() + 3, end, byte, 16);
  if (error != std::errc() || stop != end)
    return std::nullopt;
  return byte;
}

TokenDecoder TokenDecoder::fromJson(const JsonView &decoder) {
  TokenDecoder result;
  if (decoder.isNull())
    decoder.unsupported(supported);
  JsonView type = decoder.at("type");
  if (type.asString() == "Sequence") {
    result.byteLevel = false;
    result.readSequence(decoder.at("decoders"));
  } else if (type.asString() != "ByteLevel") {
    type.unsupported(supported);
  }
  return result;
}

void TokenDecoder::readSequence(const JsonView &list) {
  static constexpr const char *expected[] = {"Replace", "ByteFallback", "Fuse", "Strip"};
  list.requireArray();
  if (list.size() < 3 || list.size() > 4)
    list.unsupported(supported);
  for (size_t i = 0; i < list.size(); ++i)
    if (JsonView type = list.at(i).at("type"); type.asString() != expected[i])
      type.unsupported(supported);
  JsonView replace = list.at(size_t(0));
  JsonView pattern = replace.at("pattern").at("String");
  from = pattern.asString();
  if (from.empty())
    pattern.unsupported("a string that is not empty");
  to = replacementString(replace.at("content"));
  firstSpaceStripped = list.size() == 4;
  if (firstSpaceStripped)
    checkStrip(list.at(3));
}

std::string TokenDecoder::bytesOf(const std::string &spelling) const {
  // A spelling with a character outside the byte alphabet stands for itself.
  if (byteLevel)
    return bytesOfSpelling(spelling).value_or(spelling);
  if (auto byte = byteOfFallbackToken(spelling))
    return std::string(1, char(*byte));
  return replaceAll(spelling, from, to);
}

} // namespace moec::rt::text
