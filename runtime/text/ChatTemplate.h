// Renders a conversation to a prompt with the model's own chat template: the
// part of Jinja that published templates use (README.md lists it), set up as
// transformers does. What the subset lacks is refused by name and line; time,
// depth and size are bounded, so a template need not be trusted.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moec::rt::text {

struct ChatMessage {
  std::string role;                          // "system", "user", "assistant"
  std::string content;                       // of an assistant: its answer alone, where it reasoned
  std::optional<std::string> reasoning = {}; // "reasoning_content" to the template
};

struct RenderOptions {
  bool addGenerationPrompt = true;
  // "enable_thinking" and "thinking"; unset: the template's own default.
  std::optional<bool> thinking = {};
  // For strftime_now(), in local time: seconds since 1970; unset: the clock.
  std::optional<int64_t> now = {};
};

// Variables such as bos_token. A token that a model lacks is not defined.
using SpecialTokens = std::vector<std::pair<std::string, std::string>>;

class ChatTemplate {
public:
  // All throw TextError.
  static ChatTemplate parse(std::string_view text, SpecialTokens tokens = {});
  // The text of chat_template.jinja if it is not empty; else the chat_template
  // of tokenizer_config.json: a string, or the one named "default" of a list.
  // Special tokens are those of tokenizer_config.json, which may be empty.
  static ChatTemplate fromFiles(std::string_view tokenizerConfigJson,
                                std::string_view chatTemplateJinja);
  ~ChatTemplate();
  ChatTemplate(ChatTemplate &&) noexcept;
  ChatTemplate &operator=(ChatTemplate &&) noexcept;

  // The prompt, with BOS where the template writes it: encode it without
  // adding special tokens. Safe from many threads.
  std::string render(const std::vector<ChatMessage> &messages,
                     const RenderOptions &options = {}) const;

private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl;
};

} // namespace moec::rt::text
