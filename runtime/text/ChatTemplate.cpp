#include "runtime/text/ChatTemplate.h"
#include "runtime/text/JsonView.h"
#include "runtime/text/TemplateEval.h"
#include "runtime/text/TemplateParser.h"
#include "runtime/text/TextError.h"
#include "runtime/text/Utf8.h"

namespace moec::rt::text {

namespace {

constexpr size_t maxTemplateBytes = 1 << 20;

std::string templateOfConfig(const JsonView &config) {
  if (!config.has("chat_template"))
    throw TextError(config.path() + " has no chat_template; give the prompt as "
                                    "raw text instead");
  JsonView value = config.at("chat_template");
  if (!value.raw().is_array())
    return value.asString();
  for (size_t i = 0; i < value.size(); ++i)
    if (value.at(i).at("name").asString() == "default")
      return value.at(i).at("template").asString();
  throw TextError(value.path() + " has no template named 'default'");
}

} // namespace

struct ChatTemplate::Impl {
  Body body;
};

ChatTemplate::ChatTemplate(std::unique_ptr<const Impl> impl) : impl(std::move(impl)) {}
ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate &&) noexcept = default;
ChatTemplate &ChatTemplate::operator=(ChatTemplate &&) noexcept = default;

ChatTemplate ChatTemplate::parse(std::string_view text) {
  if (text.size() > maxTemplateBytes)
    throw TextError("chat template of " + std::to_string(text.size()) + " bytes, at most " +
                    std::to_string(maxTemplateBytes) + " are supported");
  requireUtf8(text, "chat template");
  return ChatTemplate(std::make_unique<const Impl>(Impl{parseTemplate(text)}));
}

ChatTemplate ChatTemplate::fromConfig(std::string_view tokenizerConfigJson) {
  const Json json = parseJson(tokenizerConfigJson, "tokenizer_config.json");
  JsonView config(json, "tokenizer_config.json");
  config.requireObject();
  return parse(templateOfConfig(config));
}

std::string ChatTemplate::render(const std::vector<ChatMessage> &messages, bool addGenerationPrompt,
                                 std::string_view bosToken, std::string_view eosToken) const {
  ValueList list;
  for (size_t i = 0; i < messages.size(); ++i) {
    std::string where = "message " + std::to_string(i) + "'s ";
    requireUtf8(messages[i].role, where + "role");
    requireUtf8(messages[i].content, where + "content");
    list.push_back(Value::dict({{"role", Value::string(messages[i].role)},
                                {"content", Value::string(messages[i].content)}}));
  }
  TemplateEval::Scope globals;
  globals["messages"] = Value::list(std::move(list));
  globals["add_generation_prompt"] = Value::boolean(addGenerationPrompt);
  globals["bos_token"] = Value::string(std::string(bosToken));
  globals["eos_token"] = Value::string(std::string(eosToken));
  // transformers passes these in any case.
  globals["tools"] = Value::none();
  globals["documents"] = Value::none();
  return TemplateEval(std::move(globals)).run(impl->body);
}

} // namespace moec::rt::text
