#include "TestFiles.h"
#include "runtime/text/ByteAlphabet.h"
#include "runtime/text/Utf8.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <lzma.h>
#include <stdexcept>

namespace moec::rt::text::test {

std::string readSourceFile(const std::string &path) {
  const char *root = std::getenv("MOEC_SOURCE_DIR");
  if (!root)
    throw std::runtime_error("MOEC_SOURCE_DIR is not set; run this with lit");
  std::ifstream file(std::string(root) + "/" + path, std::ios::binary);
  if (!file)
    throw std::runtime_error("cannot read " + path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string readSourceXz(const std::string &path) {
  std::string packed = readSourceFile(path);
  std::string text(32 << 20, '\0');
  uint64_t memory = UINT64_MAX;
  size_t from = 0, to = 0;
  lzma_ret rc = lzma_stream_buffer_decode(
      &memory, 0, nullptr, reinterpret_cast<const uint8_t *>(packed.data()), &from, packed.size(),
      reinterpret_cast<uint8_t *>(text.data()), &to, text.size());
  if (rc != LZMA_OK)
    throw std::runtime_error("cannot unpack " + path);
  text.resize(to);
  return text;
}

Json tinyTokenizer(const std::vector<std::pair<std::string, std::string>> &merges) {
  Json vocab = Json::object(), list = Json::array();
  for (int byte = 0; byte < 256; ++byte)
    vocab[spellingOfBytes(std::string(1, char(byte)))] = byte;
  for (const auto &[left, right] : merges) {
    list.push_back(Json::array({left, right}));
    vocab.emplace(left + right, int(vocab.size()));
  }
  Json byteLevel = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  return {{"version", "1.0"},
          {"added_tokens", Json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", byteLevel},
          {"post_processor", nullptr},
          {"decoder", byteLevel},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", list}}}};
}

Json addedToken(int id, const std::string &content, bool special, bool normalized) {
  return {
      {"id", id},        {"content", content}, {"special", special},  {"normalized", normalized},
      {"lstrip", false}, {"rstrip", false},    {"single_word", false}};
}

void expectHas(const std::string &text, const std::string &part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << text << "' lacks '" << part << "'";
}

} // namespace moec::rt::text::test
