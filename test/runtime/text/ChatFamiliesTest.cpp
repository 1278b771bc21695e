// Templates of the model families over many conversations, against what jinja2
// wrote down. A conversation that jinja2 refuses (null) must be refused.
#include "TestFiles.h"
#include "runtime/text/ChatTemplate.h"

using namespace moec::rt::text;
using namespace moec::rt::text::test;

namespace {

const std::string folder = "test/runtime/text/Inputs/chat_templates/";

const Json &chats() {
  static const Json file = Json::parse(readSourceFile(folder + "chats.json"));
  return file;
}

std::vector<ChatMessage> messagesOf(const Json &conversation) {
  std::vector<ChatMessage> messages;
  for (const Json &one : conversation["messages"]) {
    messages.push_back({one["role"], one["content"]});
    if (one.contains("reasoning_content"))
      messages.back().reasoning = one["reasoning_content"];
  }
  return messages;
}

RenderOptions optionsOf(const Json &conversation) {
  RenderOptions options{.addGenerationPrompt = conversation["add_generation_prompt"],
                        .now = chats()["now"].get<int64_t>()};
  if (conversation.contains("thinking"))
    options.thinking = conversation["thinking"].get<bool>();
  return options;
}

void checkTemplate(const std::string &name) {
  const Json &golden = chats()["templates"][name];
  SpecialTokens tokens;
  for (const auto &[key, token] : golden["tokens"].items())
    tokens.emplace_back(key, token);
  ChatTemplate chat = ChatTemplate::parse(readSourceFile(folder + name + ".jinja"), tokens);
  const Json &conversations = chats()["conversations"];
  ASSERT_EQ(golden["expected"].size(), conversations.size());
  for (size_t i = 0; i < conversations.size(); ++i) {
    SCOPED_TRACE(conversations[i].dump());
    const Json &expected = golden["expected"][i];
    auto rendered = [&] {
      return chat.render(messagesOf(conversations[i]), optionsOf(conversations[i]));
    };
    if (expected.is_null())
      expectHas(errorOf(rendered), "chat template line ");
    else
      EXPECT_EQ(rendered(), expected.get<std::string>());
  }
}

TEST(ChatFamilies, R1Distill) { checkTemplate("r1_distill"); }
TEST(ChatFamilies, Qwen25) { checkTemplate("qwen2_5"); }
TEST(ChatFamilies, Qwen3) { checkTemplate("qwen3"); }
TEST(ChatFamilies, Llama3) { checkTemplate("llama3"); }
TEST(ChatFamilies, Llama32) { checkTemplate("llama3_2"); }
TEST(ChatFamilies, Mixtral) { checkTemplate("mixtral"); }
TEST(ChatFamilies, MistralWithTools) { checkTemplate("mistral_tools"); }
TEST(ChatFamilies, KimiK2) { checkTemplate("kimi_k2"); }

} // namespace
