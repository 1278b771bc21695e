// BPE tokenizer (byte-level, or SentencePiece's with byte_fallback), read from
// the text of a Hugging Face tokenizer.json and tokenizer_config.json. Ids equal
// Hugging Face's; what this reader does not know it refuses by key and value
// instead of guessing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moec::rt::text {

class Tokenizer {
public:
  // `tokenizerConfigJson` may be empty: then the post-processor says whether a
  // BOS is put in front. Throws TextError.
  static Tokenizer fromJson(std::string_view tokenizerJson, std::string_view tokenizerConfigJson);
  ~Tokenizer();
  Tokenizer(Tokenizer &&) noexcept;
  Tokenizer &operator=(Tokenizer &&) noexcept;

  // Added tokens that stand in the text are recognised in any case;
  // addSpecial puts BOS in front (and EOS behind) where the files ask for it.
  // Throws TextError for text that is not UTF-8. Safe from many threads.
  std::vector<int32_t> encode(std::string_view text, bool addSpecial) const;

  // Bytes that form no UTF-8 become U+FFFD; ids without a token give nothing.
  // SentencePiece's leave out a space at the very start.
  std::string decode(const std::vector<int32_t> &ids, bool skipSpecial) const;

  // One more than the largest id, added tokens included.
  int32_t vocabSize() const;
  std::optional<int32_t> tokenToId(std::string_view token) const;
  // The spelling as in the file ("Ġthe", "▁the"), or nothing for an unused id.
  std::optional<std::string> idToToken(int32_t id) const;
  bool isSpecial(int32_t id) const;
  // The raw bytes that a token stands for; empty for an unused id.
  std::string_view tokenBytes(int32_t id) const;
  bool stripsFirstSpace() const;

  // Spelled BOS / EOS of tokenizer_config.json, empty if it names none.
  const std::string &bosToken() const;
  const std::string &eosToken() const;
  std::optional<int32_t> bosId() const;
  std::optional<int32_t> eosId() const;

private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

// Turns tokens into text as they arrive: a character whose bytes are spread
// over several tokens comes out whole, with its last token. The pieces, with
// finish(), add up to Tokenizer::decode of all ids.
class StreamDecoder {
public:
  // Keeps a reference to `tokenizer`.
  StreamDecoder(const Tokenizer &tokenizer, bool skipSpecial)
      : tokenizer(tokenizer), skipSpecial(skipSpecial) {}

  std::string push(int32_t id); // may be empty
  std::string finish();         // U+FFFD if a character stayed incomplete

private:
  const Tokenizer &tokenizer;
  bool skipSpecial;
  bool started = false; // a token was pushed
  std::string pending;  // at most 3 bytes between calls
};

} // namespace moec::rt::text
