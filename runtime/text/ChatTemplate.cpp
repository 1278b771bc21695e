#include "runtime/text/ChatTemplate.h"
#include "runtime/text/JsonView.h"
#include "runtime/text/TemplateEval.h"
#include "runtime/text/TemplateParser.h"
#include "runtime/text/TextError.h"
#include "runtime/text/Utf8.h"

#include <ctime>

namespace moec::rt::text {

namespace {

constexpr size_t maxTemplateBytes = 1 << 20;

std::string templateOfConfig(const JsonView &config) {
  if (!config.has("chat_template"))
    throw TextError(config.path() + " has no chat_template, and there is no chat_template.jinja; "
                                    "give the prompt as raw text instead");
  JsonView value = config.at("chat_template");
  if (!value.raw().is_array())
    return value.asString();
  std::string names;
  for (size_t i = 0; i < value.size(); ++i) {
    const std::string &name = value.at(i).at("name").asString();
    if (name == "default")
      return value.at(i).at("template").asString();
    names += (names.empty() ? "" : ", ") + name;
  }
  throw TextError(value.path() +
                  " has no template named 'default'; it has: " + (names.empty() ? "none" : names));
}

SpecialTokens specialTokens(const JsonView &config) {
  SpecialTokens tokens;
  for (const char *key :
       {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"})
    if (config.has(key))
      tokens.emplace_back(key, specialTokenName(config, key));
  return tokens;
}

Value messageValue(const ChatMessage &message, size_t index) {
  std::string where = "message " + std::to_string(index) + "'s ";
  requireUtf8(message.role, where + "role");
  requireUtf8(message.content, where + "content");
  ValueDict entries = {{"role", Value::string(message.role)},
                       {"content", Value::string(message.content)}};
  if (message.reasoning) {
    requireUtf8(*message.reasoning, where + "reasoning");
    entries.emplace_back("reasoning_content", Value::string(*message.reasoning));
  }
  return Value::dict(std::move(entries));
}

} // namespace

struct ChatTemplate::Impl {
  Body body;
  SpecialTokens tokens;
};

ChatTemplate::ChatTemplate(std::unique_ptr<const Impl> impl) : impl(std::move(impl)) {}
ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate &&) noexcept = default;
ChatTemplate &ChatTemplate::operator=(ChatTemplate &&) noexcept = default;

ChatTemplate ChatTemplate::parse(std::string_view text, SpecialTokens tokens) {
  if (text.size() > maxTemplateBytes)
    throw TextError("chat template of " + std::to_string(text.size()) + " bytes, at most " +
                    std::to_string(maxTemplateBytes) + " are supported");
  requireUtf8(text, "chat template");
  return ChatTemplate(std::make_unique<const Impl>(Impl{parseTemplate(text), std::move(tokens)}));
}

ChatTemplate ChatTemplate::fromFiles(std::string_view tokenizerConfigJson,
                                     std::string_view chatTemplateJinja) {
  Json json = Json::object();
  if (!tokenizerConfigJson.empty())
    json = parseJson(tokenizerConfigJson, "tokenizer_config.json");
  JsonView config(json, "tokenizer_config.json");
  config.requireObject();
  SpecialTokens tokens = specialTokens(config);
  if (!chatTemplateJinja.empty())
    return parse(chatTemplateJinja, std::move(tokens));
  return parse(templateOfConfig(config), std::move(tokens));
}

std::string ChatTemplate::render(const std::vector<ChatMessage> &messages,
                                 const RenderOptions &options) const {
  ValueList list;
  for (size_t i = 0; i < messages.size(); ++i)
    list.push_back(messageValue(messages[i], i));
  TemplateEval::Scope globals;
  globals["messages"] = Value::list(std::move(list));
  globals["add_generation_prompt"] = Value::boolean(options.addGenerationPrompt);
  for (const auto &[name, token] : impl->tokens)
    globals[name] = Value::string(token);
  if (options.thinking)
    globals["enable_thinking"] = globals["thinking"] = Value::boolean(*options.thinking);
  // transformers passes these in any case.
  globals["tools"] = Value::none();
  globals["documents"] = Value::none();
  int64_t now = options.now ? *options.now : int64_t(std::time(nullptr));
  return TemplateEval(std::move(globals), now).run(impl->body);
}

} // namespace moec::rt::text
