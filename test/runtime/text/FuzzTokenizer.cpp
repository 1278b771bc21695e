// The first byte chooses a tokenizer, of bytes or of characters with bytes as a
// fallback, and what comes: changes to its tokenizer.json, or a text, whose
// encoding must decode to the text again.
#include "runtime/text/ByteAlphabet.h"
#include "runtime/text/Normalizer.h"
#include "runtime/text/TextError.h"
#include "runtime/text/TokenDecoder.h"
#include "runtime/text/Tokenizer.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

using namespace moec::rt::text;

namespace {

nlohmann::json byteTokenizer() {
  nlohmann::json vocab;
  for (int byte = 0; byte < 256; ++byte)
    vocab[spellingOfBytes(std::string(1, char(byte)))] = byte;
  vocab["th"] = 256;
  vocab["the"] = 257;
  vocab["Ġthe"] = 258;
  vocab["aa"] = 259;
  nlohmann::json json = nlohmann::json::parse(R"({
    "added_tokens": [
      {"id": 260, "content": "<s>", "special": true, "normalized": false},
      {"id": 261, "content": "<s><t>", "special": false, "normalized": true}],
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
      {"type": "Split", "behavior": "Isolated", "invert": false, "pattern":
        {"Regex": "\\p{N}{1,3}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\s+(?!\\S)|\\s+"}},
      {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "merges":
      ["t h", "th e", ["Ġ", "the"], "a a"]}})");
  json["model"]["vocab"] = vocab;
  return json;
}

nlohmann::json characterTokenizer() {
  nlohmann::json vocab;
  for (int byte = 0; byte < 256; ++byte)
    vocab[fallbackToken(static_cast<unsigned char>(byte))] = byte;
  int next = 256;
  for (const char *token : {"<s>", "▁", "t", "h", "e", "é", "漢", "th", "the", "▁the", "▁▁"})
    vocab[token] = next++;
  nlohmann::json json = nlohmann::json::parse(R"({
    "added_tokens": [{"id": 256, "content": "<s>", "special": true, "normalized": false}],
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
      {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
    "pre_tokenizer": null,
    "decoder": {"type": "Sequence", "decoders": [
      {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
      {"type": "ByteFallback"}, {"type": "Fuse"},
      {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    "model": {"type": "BPE", "byte_fallback": true, "merges":
      ["t h", "th e", ["▁", "the"], "▁ ▁"]}})");
  json["model"]["vocab"] = vocab;
  return json;
}

void encodeDecode(const Tokenizer &tokenizer, const std::string &text) {
  std::vector<int32_t> ids = tokenizer.encode(text, false);
  if (tokenizer.decode(ids, false) != text)
    abort();
  StreamDecoder stream(tokenizer, false);
  std::string streamed;
  for (int32_t id : ids)
    streamed += stream.push(id);
  if (streamed + stream.finish() != text)
    abort();
}

// The good file with the members that `patch` gives (as a JSON merge patch).
void tryFile(nlohmann::json json, const std::string &patch) {
  nlohmann::json change = nlohmann::json::parse(patch, nullptr, false);
  if (change.is_discarded()) {
    Tokenizer::fromJson(patch, patch);
    return;
  }
  json.merge_patch(change);
  std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  Tokenizer::fromJson(text, patch).encode("the  12345 aaé <s>x\n", true);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const Tokenizer ofBytes = Tokenizer::fromJson(byteTokenizer().dump(), "");
  static const Tokenizer ofCharacters = Tokenizer::fromJson(characterTokenizer().dump(), "");
  if (size == 0)
    return 0;
  std::string rest(reinterpret_cast<const char *>(data) + 1, size - 1);
  try {
    if (data[0] % 4 == 0)
      tryFile(byteTokenizer(), rest);
    else if (data[0] % 4 == 1)
      encodeDecode(ofBytes, rest);
    else if (data[0] % 4 == 2)
      tryFile(characterTokenizer(), rest);
    else if (rest.find("<s>") == std::string::npos) // which puts a space behind it
      encodeDecode(ofCharacters, replaceAll(rest, "▁", " "));
  } catch (const TextError &) {
  }
  return 0;
}
