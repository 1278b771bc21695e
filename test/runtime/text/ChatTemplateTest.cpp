#include "runtime/text/ChatTemplate.h"
#include "TestFiles.h"

using namespace moec::rt::text;
using namespace moec::rt::text::test;

namespace {

using Messages = std::vector<ChatMessage>;

std::string render(std::string_view source, const Messages &messages = {},
                   bool addGenerationPrompt = false) {
  return ChatTemplate::parse(source).render(messages, addGenerationPrompt, "<s>", "</s>");
}

void checkChats(const std::string &casesPath, const std::string &configPath) {
  ChatTemplate chat = ChatTemplate::fromConfig(readSourceFile(configPath));
  Json cases = Json::parse(readSourceFile(casesPath));
  ASSERT_FALSE(cases["chats"].empty());
  for (const Json &one : cases["chats"]) {
    Messages messages;
    for (const Json &message : one["messages"])
      messages.push_back({message["role"], message["content"]});
    EXPECT_EQ(chat.render(messages, one["add_generation_prompt"], "<｜begin▁of▁sentence｜>",
                          "<｜end▁of▁sentence｜>"),
              one["text"].get<std::string>());
  }
}

TEST(ChatTemplate, TinyR1Chats) {
  checkChats("models/tiny-r1/tokenizer_cases.json", "models/tiny-r1/tokenizer_config.json");
}

TEST(ChatTemplate, DeepseekV3Chats) {
  const std::string folder = "test/runtime/text/Inputs/deepseek_v3/";
  checkChats(folder + "cases.json", folder + "tokenizer_config.json");
}

const Messages dialogue = {{"user", " Hi "}, {"assistant", "Yo"}};

TEST(ChatTemplate, Qwen2Style) {
  const char *source = "{% for message in messages %}{% if loop.first and messages[0]['role'] "
                       "!= 'system' %}{{ '<|im_start|>system\\nHelp.<|im_end|>\\n' }}{% endif "
                       "%}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + "
                       "'<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
                       "'<|im_start|>assistant\\n' }}{% endif %}";
  EXPECT_EQ(render(source, dialogue, true),
            "<|im_start|>system\nHelp.<|im_end|>\n<|im_start|>user\n Hi "
            "<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n"
            "<|im_start|>assistant\n");
}

TEST(ChatTemplate, Llama3Style) {
  const char *source = "{% set loop_messages = messages %}{% for message in loop_messages %}{% "
                       "set content = '<|' + message['role'] + '|>\\n\\n'+ message['content'] | "
                       "trim + '<|eot|>' %}{% if loop.index0 == 0 %}{% set content = bos_token "
                       "+ content %}{% endif %}{{ content }}{% endfor %}{% if "
                       "add_generation_prompt %}{{ '<|assistant|>\\n\\n' }}{% endif %}";
  EXPECT_EQ(render(source, dialogue, true), "<s><|user|>\n\nHi<|eot|><|assistant|>\n\nYo<|eot|>"
                                            "<|assistant|>\n\n");
}

struct Case {
  const char *source, *expected;
};

void checkCases(const std::vector<Case> &cases) {
  for (const Case &one : cases)
    EXPECT_EQ(render(one.source, dialogue), one.expected) << one.source;
}

TEST(ChatTemplate, WhiteSpaceControl) {
  checkCases({
      {"a {{- 'b' -}} c", "abc"},
      {"a {{ 'b' }} c", "a b c"},
      {"{% if true %}\nx\n{% endif %}\ny\n", "x\ny"},
      {"a\n  {% if true %}x{% endif %}", "a\nx"},
      {"a\n  {%+ if true %}x{% endif %}", "a\n  x"},
      {"a {% if true %}x{% endif %}", "a x"},
      {"{% if true +%}\nx{% endif %}", "\nx"},
      {"a\n  {{ 'b' }}\n", "a\n  b"},
      {"a\n  {# note #}\nb", "a\nb"},
      {"a {#- note -#} b", "ab"},
      {"{% if true -%}  \n x{%- endif %}", "x"},
      {"a\r\nb\n\n", "a\nb\n"},
      {"  {% set x = 1 %}  {{ x }}", "  1"},
  });
}

TEST(ChatTemplate, Expressions) {
  checkCases({
      {"{{ 1 + 2 * 3 }}|{{ 7 // 2 }}|{{ -7 // 2 }}|{{ -7 % 3 }}", "7|3|-4|2"},
      {"{{ 'a' ~ 1 ~ true ~ none }}", "a1TrueNone"},
      {"{{ not x is defined }}|{{ x is not defined }}", "True|True"},
      {"{{ not 1 == 2 and 3 > 2 >= 2 }}", "True"},
      {"{{ 'b' in 'abc' }}|{{ 'z' not in ['z'] }}|{{ 'role' in messages[0] }}", "True|False|True"},
      {"{{ 'x' if 0 else 'y' }}{{ 'x' if 0 }}", "y"},
      {"{{ '' or 'd' }}{{ 'a' and 'b' }}", "db"},
      {"{{ 'é漢x'[1] }}{{ 'é漢x'[-1] }}{{ 'é漢x'[1:] }}{{ 'abc'[::-1] }}", "漢x漢xcba"},
      {"{{ [1,2,3][1:][0] }}{{ [1,2,3][-2] }}{{ (1, 2)[5] }}", "22"},
      {"{{ 'a\\n\\x41\\u00e9\\'\\q' }}", "a\nAé'\\q"},
      {"{{ 'a' 'b' }}", "ab"},
      {"{{ {'k': {'j': 5}}.k.j }}{{ {'k': 1}['k'] }}", "51"},
      {"{{ missing }}{{ messages[0].missing is defined }}", "False"},
      {"{{ messages[0].content == messages[0]['content'] }}", "True"},
      {"{{ true == 1 }}{{ [1, 'a'] == [1, 'a'] }}{{ 'a' < 'b' }}", "TrueTrueTrue"},
      {"{{ tools is none }}{{ raise_exception is defined }}", "TrueTrue"},
  });
}

TEST(ChatTemplate, MethodsAndFilters) {
  checkCases({
      {"{{ 'a</t>b</t>c'.split('</t>')[-1] }}", "c"},
      {"{{ ' a  b '.split() | join('-') }}{{ 'a,b,c'.split(',', 1)[1] }}", "a-bb,c"},
      {"{{ ' x '.strip() }}{{ 'xxay'.lstrip('x') }}{{ 'ay\\n'.rstrip('\\n') }}", "xayay"},
      {"{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x', 'c')) }}", "TrueTrue"},
      {"{{ 'aXb'.upper() }}{{ 'aXb' | lower }}{{ 'aa'.replace('a', 'bc') }}", "AXBaxbbcbc"},
      {"{{ messages | length }}{{ 'é漢' | length }}{{ ' a ' | trim }}", "22a"},
      {"{{ messages[1] | tojson }}", "{\"role\": \"assistant\", \"content\": \"Yo\"}"},
      {"{{ ['é\"', 1, none, true] | tojson }}", "[\"é\\\"\", 1, null, true]"},
      {"{{ x | default('d') }}{{ '' | default('e', true) }}", "de"},
      {"{{ [1, 2] | first }}{{ 'abc' | last }}{{ 'ab' | list | length }}", "1c2"},
      {"{{ {'a': 1}.get('b', 2) }}{% for k, v in {'a': 1}.items() %}"
       "{{ k }}{{ v }}{% endfor %}",
       "2a1"},
  });
}

TEST(ChatTemplate, StatementsAndScopes) {
  checkCases({
      {"{% if 0 %}a{% elif 1 %}b{% else %}c{% endif %}", "b"},
      {"{% for m in messages %}{{ loop.index }}{{ loop.last }}{% endfor %}", "1False2True"},
      {"{% for x in [] %}a{% else %}none{% endfor %}", "none"},
      {"{% for x in [1, 2, 3] if x != 2 %}{{ x }}{% endfor %}", "13"},
      {"{% set x = 1 %}{% for y in [1] %}{% set x = 2 %}{% endfor %}{{ x }}", "1"},
      {"{% set n = namespace(x=1) %}{% for y in [1] %}{% set n.x = 2 %}"
       "{% endfor %}{{ n.x }}",
       "2"},
      {"{% if true %}{% set x = 3 %}{% endif %}{{ x }}", "3"},
      {"{% set x %}a{{ 1 }}{% endset %}[{{ x }}]", "[a1]"},
      {"{% for i in range(3) %}{{ i }}{% endfor %}", "012"},
      {"{{ '}}' }}{{ {'a': {'b': 1}}['a']['b'] }}", "}}1"},
  });
}

TEST(ChatTemplate, RefusesByNameAndLine) {
  const Case faults[] = {
      {"\n{% macro m() %}{% endmacro %}", "line 2: statement 'macro' is not"},
      {"{% raw %}{% endraw %}", "statement 'raw' is not supported"},
      {"{% include 'x' %}", "statement 'include' is not supported"},
      {"a\nb\n{{ x | selectattr('a') }}", "line 3: filter 'selectattr' is not supported"},
      {"{{ 1 is divisibleby(2) }}", "test 'divisibleby' with an argument"},
      {"{{ 1 is prime }}", "test 'prime' of a number is not supported"},
      {"{{ 'a'.title() }}", "method 'title' of a string is not supported"},
      {"{{ strftime_now('%d') }}", "function 'strftime_now' is not supported"},
      {"{{ x.y.z }}", "'x' is undefined and has no 'y'"},
      {"{{ 'a' + 1 }}", "cannot apply '+' to a string and a number"},
      {"{{ 'a' + x }}", "cannot apply '+' to a string and undefined 'x'"},
      {"{{ 1.5 }}", "number '1.5' is not supported"},
      {"{{ 4 / 2 }}", "operator '/' is not supported"},
      {"{{ 99999999999999999999 }}", "is too large"},
      {"{{ 9223372036854775807 + 1 }}", "number too large"},
      {"{{ 1 // 0 }}", "division by zero"},
      {"{{ f(*x) }}", "argument unpacking with '*'"},
      {"{{ x['a']() }}", "a call of something other than a named"},
      {"{% set a, b = 1 %}", "'set' of several variables"},
      {"{% set m.x = 1 %}", "'m' is undefined, attributes can be set"},
      {"{% set n = namespace() %}{% set n.n = n %}", "a namespace inside"},
      {"{% for a, b in [1] %}{% endfor %}", "cannot take a number apart"},
      {"{% for a in none %}{% endfor %}", "cannot loop over none"},
      {"{% for a in b recursive %}{% endfor %}", "'recursive' loops"},
      {"{{ messages }}", "a list as text is not supported; use the filter"},
      {"{{ 'é' | upper }}", "text beyond ASCII is not supported"},
      {"{{ [] | tojson(indent=2) }}", "with the argument 'indent=' is not"},
      {"{{ 'a' | trim(1) }}", "filter 'trim': argument 1 is a number"},
      {"{{ 'a'.split('') }}", "empty separator"},
      {"{{ 'a'.startswith() }}", "has 0 arguments, expected 1"},
      {"{{ [1][::0] }}", "slice with step 0"},
      {"{{ 1 < 'a' }}", "cannot compare a number and a string by '<'"},
      {"{{ 'x' in 3 }}", "cannot look for a string in a number"},
      {"{{ 3[0] }}", "cannot index a number by a number"},
      {"{{ '\\N{DASH}' }}", "escape '\\N' is not supported"},
      {"{{ '\\ud800' }}", "names no character"},
      {"{{ 'a }}", "string has no closing quote"},
      {"{{ a ", "tag has no '}}'"},
      {"{{ (a }}", "unexpected '}'"},
      {"{# a", "comment '{#' has no '#}'"},
      {"{{ a b }}", "'b' where '}}' is expected"},
      {"{{ }}", "'}}' where a value is expected"},
      {"{{ a ? b }}", "unexpected character '?'"},
      {"{{ ) }}", "unexpected ')'"},
      {"{% if a %}", "block has no 'endif'"},
      {"{% endif %}", "'endif' without the block that it ends"},
      {"{% for a in b %}{% endif %}", "'endif' where 'endfor' is expected"},
      {"{{ raise_exception('roles must alternate') }}",
       "the template refuses these messages: roles must alternate"},
      {"\xff", "chat template is not valid UTF-8 (byte 0)"},
  };
  for (const Case &fault : faults) {
    SCOPED_TRACE(fault.source);
    expectHas(errorOf([&] { render(fault.source); }), fault.expected);
  }
}

std::string repeated(const std::string &text, int count) {
  std::string out;
  while (count-- > 0)
    out += text;
  return out;
}

TEST(ChatTemplate, BoundsDepth) {
  const std::string deep[] = {
      "{{ " + repeated("(", 5000) + "1" + repeated(")", 5000) + " }}",
      "{{ " + repeated("[", 5000) + "1" + repeated("]", 5000) + " }}",
      "{{ " + repeated("not ", 5000) + "1 }}",
      "{{ " + repeated("- ", 5000) + "1 }}",
      "{{ 1" + repeated(" + 1", 5000) + " }}",
      "{{ a" + repeated(".b", 5000) + " }}",
      "{{ a" + repeated("|trim", 5000) + " }}",
      "{{ a" + repeated(" if b else c", 5000) + " }}",
      repeated("{% if 1 %}", 5000),
      "{% set n = namespace(x=1) %}{% for i in range(99) %}"
      "{% set n.x = [n.x] %}{% endfor %}",
  };
  for (const std::string &source : deep)
    expectHas(errorOf([&] { render(source); }), "nested deeper than");
}

TEST(ChatTemplate, BoundsWork) {
  const Case costly[] = {
      {"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}"
       "{% endfor %}",
       "the template takes more than 10000000 steps"},
      {"{{ range(9999999999) }}", "more than 10000000 steps"},
      {"{% set n = namespace(x='aaaaaaaa') %}{% for i in range(60) %}"
       "{% set n.x = n.x + n.x %}{% endfor %}",
       "a string longer than"},
      {"{% set n = namespace(x=[1]) %}{% for i in range(30) %}"
       "{% set n.x = [n.x, n.x] %}{% endfor %}",
       "a list or dict larger than"},
  };
  for (const Case &one : costly)
    expectHas(errorOf([&] { render(one.source); }), one.expected);
  expectHas(errorOf([] { ChatTemplate::parse(std::string(2 << 20, 'a')); }),
            "chat template of 2097152 bytes");
}

TEST(ChatTemplate, LongMessagesAreFine) {
  std::string content(10 << 20, 'x');
  EXPECT_EQ(render("{% for m in messages %}{{ '<' + m.content.split('</t>')"
                   "[-1] | trim + m.content[0] + m.content[:2] }}{% endfor %}",
                   {{"user", content}})
                .size(),
            content.size() + 4);
}

TEST(ChatTemplate, ReadsTheConfig) {
  auto text = [](const char *config) {
    return ChatTemplate::fromConfig(config).render({}, false, "", "");
  };
  EXPECT_EQ(text(R"({"chat_template": "a"})"), "a");
  EXPECT_EQ(text(R"({"chat_template": [{"name": "x", "template": "b"},
                     {"name": "default", "template": "c"}]})"),
            "c");
  expectHas(errorOf([&] { text("{}"); }), "has no chat_template");
  expectHas(errorOf([&] { text(R"({"chat_template": 3})"); }),
            "chat_template is 3, expected a string");
  expectHas(errorOf([&] { text(R"({"chat_template": []})"); }), "has no template named 'default'");
  expectHas(errorOf([&] { text("["); }), "not valid JSON");
}

TEST(ChatTemplate, RefusesMessagesThatAreNotUtf8) {
  expectHas(errorOf([] { render("", {{"user", "a\xff"}}); }),
            "message 0's content is not valid UTF-8 (byte 1)");
}

} // namespace
