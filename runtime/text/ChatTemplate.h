// Renders a conversation to a prompt with the model's own chat_template: the
// part of Jinja that the templates of DeepSeek V3/R1, Qwen 2 and Llama 3 use,
// set up as transformers does. What the subset lacks is refused by name and
// line; time, depth and size are bounded, so a template need not be trusted.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace moec::rt::text {

struct ChatMessage {
  std::string role; // "system", "user", "assistant"
  std::string content;
};

class ChatTemplate {
public:
  // All throw TextError.
  static ChatTemplate parse(std::string_view text);
  // The template of a tokenizer_config.json: a string, or the one named
  // "default" of a list.
  static ChatTemplate fromConfig(std::string_view tokenizerConfigJson);
  ~ChatTemplate();
  ChatTemplate(ChatTemplate &&) noexcept;
  ChatTemplate &operator=(ChatTemplate &&) noexcept;

  // The prompt, with BOS where the template writes it: encode it without
  // adding special tokens. Safe from many threads.
  std::string render(const std::vector<ChatMessage> &messages, bool addGenerationPrompt,
                     std::string_view bosToken, std::string_view eosToken) const;

private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl;
};

} // namespace moec::rt::text
