// Text in and out of a model: the tokenizer and the chat template that its
// bundle carries, checked against its vocabulary. Safe from many threads.
#pragma once

#include "runtime/bundle/BundleFile.h"
#include "runtime/text/ChatTemplate.h"
#include "runtime/text/Tokenizer.h"

#include <mutex>
#include <optional>
#include <vector>

namespace moec::rt {

class ModelText {
public:
  /// Throws Error(Argument) when the bundle carries no tokenizer.json and
  /// Error(Bundle) when it is unusable or larger than the vocabulary.
  explicit ModelText(const BundleFile &bundle);

  const text::Tokenizer &tokenizer() const { return *tokens; }

  /// Throws Error(Argument) for text that is not UTF-8.
  std::vector<int32_t> encode(std::string_view text, bool addSpecial) const;

  /// The prompt for a conversation, ready for encode(prompt, false). Throws
  /// Error(Argument) when the bundle carries no usable template.
  std::string renderChat(const std::vector<text::ChatMessage> &messages,
                         const text::RenderOptions &options = {}) const;

private:
  std::string path;
  std::string configJson;
  std::string templateFile; // chat_template.jinja, or empty
  std::optional<text::Tokenizer> tokens;
  mutable std::mutex chatMutex;
  mutable std::optional<text::ChatTemplate> chat; // parsed when first wanted
};

} // namespace moec::rt
