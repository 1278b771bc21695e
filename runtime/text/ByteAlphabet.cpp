#include "runtime/text/ByteAlphabet.h"
#include "runtime/text/Utf8.h"

#include <array>

namespace moec::rt::text {

namespace {

// Printable Latin-1 stands for itself; the other 68 bytes take the characters
// from U+0100 on, in order.
struct Alphabet {
  std::array<char32_t, 256> charOf{};
  std::array<int, 0x144> byteOf{};

  Alphabet() {
    byteOf.fill(-1);
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      bool printable =
          (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      charOf[byte] = printable ? static_cast<char32_t>(byte) : next++;
      byteOf[charOf[byte]] = byte;
    }
  }
};

const Alphabet &alphabet() {
  static const Alphabet instance;
  return instance;
}

} // namespace

char32_t byteLevelChar(unsigned char byte) { return alphabet().charOf[byte]; }

std::optional<std::string> bytesOfSpelling(std::string_view spelling) {
  const Alphabet &table = alphabet();
  std::string bytes;
  while (!spelling.empty()) {
    Utf8Step step = utf8Step(spelling);
    if (step.kind != Utf8Step::Valid || step.codePoint >= table.byteOf.size() ||
        table.byteOf[step.codePoint] < 0)
      return std::nullopt;
    bytes.push_back(static_cast<char>(table.byteOf[step.codePoint]));
    spelling.remove_prefix(step.length);
  }
  return bytes;
}

std::string spellingOfBytes(std::string_view bytes) {
  std::string spelling;
  for (char byte : bytes)
    appendUtf8(spelling, byteLevelChar(static_cast<unsigned char>(byte)));
  return spelling;
}

} // namespace moec::rt::text
