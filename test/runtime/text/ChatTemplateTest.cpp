#include "runtime/text/ChatTemplate.h"
#include "TestFiles.h"

using namespace moec::rt::text;
using namespace moec::rt::text::test;

namespace {

using Messages = std::vector<ChatMessage>;

std::string render(std::string_view source, const Messages &messages = {},
                   bool addGenerationPrompt = false) {
  return ChatTemplate::parse(source, {{"bos_token", "<s>"}, {"eos_token", "</s>"}})
      .render(messages, {.addGenerationPrompt = addGenerationPrompt});
}

void checkChats(const std::string &casesPath, const std::string &configPath) {
  ChatTemplate chat = ChatTemplate::fromFiles(readSourceFile(configPath), "");
  Json cases = Json::parse(readSourceFile(casesPath));
  ASSERT_FALSE(cases["chats"].empty());
  for (const Json &one : cases["chats"]) {
    Messages messages;
    for (const Json &message : one["messages"])
      messages.push_back({message["role"], message["content"]});
    EXPECT_EQ(chat.render(messages, {.addGenerationPrompt = one["add_generation_prompt"]}),
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

TEST(ChatTemplate, MacrosAndJumps) {
  checkCases({
      {"{% set a = 1 %}{% macro m() %}{{ a }}{% endmacro %}{% set a = 2 %}{{ m() }}", "2"},
      {"{% macro m() %}{{ x }}{% endmacro %}{% for x in [1] %}{{ m() }}{% endfor %}", ""},
      {"{% macro m(a, b=a) %}{{ a }}-{{ b }};{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(b=3) }}",
       "1-1;1-2;-3;"},
      {"{% macro m() %}x{% endmacro %}{{ m is defined }}{{ m() + 'y' }}{{ m() | length }}",
       "Truexy1"},
      {"{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
       "3210"},
      {"{% macro f(n) %}{% set q = n %}{{ q }}{% endmacro %}{% set q = 7 %}{{ f(3) }}{{ q }}",
       "37"},
      {"{% set n = namespace(a=1) %}{% macro m() %}{% set n.a = 2 %}{% endmacro %}{{ m() }}{{ n.a "
       "}}",
       "2"},
      {"{% macro a(x) %}[{{ x }}]{% endmacro %}{% macro b(x) %}{{ a(x) }}{{ a(x=x) }}{% endmacro "
       "%}{{ b(1) }}",
       "[1][1]"},
      {"{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break "
       "%}{% endif %}{{ i }}{% endfor %}",
       "02"},
      {"{% for i in [1, 2] %}{% for j in [1, 2] %}{% if j == 2 %}{% break %}{% endif %}{{ i }}{{ j "
       "}} {% endfor %}{% else %}e{% endfor %}",
       "11 21 "},
      {"{% set x = 1 %}{% generation %}{% set x = 2 %}{{ x }}{% endgeneration %}{{ x }}", "21"},
  });
}

TEST(ChatTemplate, TestsWithArguments) {
  checkCases({
      {"{{ 3 is divisibleby 3 }}{{ 4 is divisibleby(3) }}{{ 'a' is in ['a'] }}{{ 1 is eq 1 }}",
       "TrueFalseTrueTrue"},
      {"{{ none is sameas none }}{{ 1 is sameas true }}{{ false is sameas false }}{{ 5 is ne 4 }}",
       "TrueFalseTrueTrue"},
      {"{{ 1 is lt 2 }}{{ 2 is le 1 }}{{ 'b' is gt 'a' }}{{ 'b' is ge('c') }}{{ 1 is not equalto 1 "
       "}}",
       "TrueFalseTrueFalseFalse"},
      {"{{ 1 is float }}{{ 'x' is eq 'x' and 1 is eq(2) or 0 }}{{ 3 if 1 is number else 4 }}",
       "False03"},
      {"{% for m in messages if m.role is in ['user'] %}{{ m.role }}{% endfor %}", "user"},
  });
}

TEST(ChatTemplate, FiltersOfLists) {
  checkCases({
      {"{{ [1, 0, 2] | select | list | tojson }}{{ [1, 0] | reject('equalto', 1) | list | tojson "
       "}}",
       "[1, 2][0]"},
      {"{{ [{'r': 1}, {}] | selectattr('r') | list | tojson }}{{ [{'r': 1}, {}] | rejectattr('r', "
       "'defined') | list | tojson }}",
       "[{\"r\": 1}][{}]"},
      {"{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join('|') "
       "}}",
       " Hi "},
      {"{{ [1, 2] | map('string') | join(',') }}{{ [{'a': {'b': 1}}] | map(attribute='a.b') | list "
       "| tojson }}",
       "1,2[1]"},
      {"{{ [{'a': [5, 6]}] | map(attribute='a.1') | list | tojson }}{{ [{}] | map(attribute='a', "
       "default=4) | list | tojson }}",
       "[6][4]"},
      {"{{ [[1, 2]] | map('first') | list | tojson }}{{ 'aé' | reverse }}{{ [1, 2] | reverse | "
       "list | tojson }}",
       "[1]éa[2, 1]"},
      {"{{ ' 7' | trim | int + 1 }}{{ '-' | int if false else 1 }}{{ ', '.join(['a', 'b']) }}",
       "81a, b"},
      {"{{ {'a': [1, {'b': none}], 'c': {}, 'd': [], 'é': '\\n\"'} | tojson(indent=2) }}",
       "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": {},\n  \"d\": [],\n "
       " \"é\": \"\\n\\\"\"\n}"},
      {"{{ {'a': 1, 'items': 2}['items'] }}{% for i in [1] %}{{ loop.depth }}{{ loop.depth0 }}{% "
       "endfor %}",
       "210"},
      {"{{ {'a': [1]} | tojson(ensure_ascii=false) }}{{ [1, 2] | tojson(indent=0) }}",
       "{\"a\": [1]}[\n1,\n2\n]"},
  });
}

TEST(ChatTemplate, RefusesByNameAndLine) {
  const Case faults[] = {
      {"\n{% call m() %}{% endcall %}", "line 2: statement 'call' is not"},
      {"{% raw %}{% endraw %}", "statement 'raw' is not supported"},
      {"{% include 'x' %}", "statement 'include' is not supported"},
      {"a\nb\n{{ x | groupby('a') }}", "line 3: filter 'groupby' is not supported"},
      {"{{ 1 is prime }}", "test 'prime' of a number is not supported"},
      {"{{ 1 is defined(2) }}", "test 'defined' has 1 arguments, expected 0"},
      {"{{ 1 is eq }}", "test 'eq' has 0 arguments, expected 1"},
      {"{{ 1 is sameas 1 }}", "test 'sameas' of a number and a number is not supported"},
      {"{{ 1 is in 2 }}", "cannot look for a number in a number"},
      {"{{ [1] | select('prime') | list }}", "test 'prime' of a number is not supported"},
      {"{{ [1] | map }}", "filter 'map' needs a filter's name or attribute="},
      {"{{ [1] | map(to=1) }}", "filter 'map' with the argument 'to='"},
      {"{{ [1] | map('title') }}", "filter 'title' is not supported"},
      {"{{ [1] | selectattr }}", "filter 'selectattr' has 0 arguments"},
      {"{{ [1] | tojson(indent=99) }}", "indent is 99, expected 0 to 16"},
      {"{{ [1] | tojson(sort_keys=true) }}", "filter 'tojson' with the argument 'sort_keys='"},
      {"{{ '1x' | int }}", "filter 'int' of '1x' is not supported"},
      {"{{ {'a': 1}.items }}", "'items' of a dict without a call is not supported"},
      {"{% for a in [1] %}{{ loop.cycle(1) }}{% endfor %}", "method 'cycle' of a dict"},
      {"{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "macro 'm' takes 1 arguments, found 2"},
      {"{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}", "macro 'm' has no parameter 'a' left"},
      {"{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "macro 'm' has no parameter 'b'"},
      {"{% macro m(a) %}{{ m(a) }}{% endmacro %}{{ m(1) }}", "macro 'm' is called 9 levels deep"},
      {"{% if 1 %}{% macro m(a) %}{% endmacro %}{% endif %}", "a macro inside another block"},
      {"{% macro m(a) %}", "block has no 'endmacro'"},
      {"{% macro 1 %}", "'1' where a macro's name is expected"},
      {"{% break %}", "'break' outside of a loop"},
      {"{% for a in [1] %}{% set b %}{% continue %}{% endset %}{% endfor %}",
       "'continue' outside of a loop"},
      {"{{ 'a'.title() }}", "method 'title' of a string is not supported"},
      {"{{ strftime_now('%Q') }}", "format '%Q' is not supported; supported after '%'"},
      {"{{ strftime_now('%') }}", "format '%' is not supported"},
      {"{{ strftime_now(range(300) | join) }}", "a format of 790 bytes, at most 256"},
      {"{{ strftime_now() }}", "function 'strftime_now' has 0 arguments"},
      {"{{ joiner(',') }}", "function 'joiner' is not supported"},
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
      ("{% set n = namespace(x=1) %}{% for i in range(99) %}"
       "{% set n.x = [n.x] %}{% endfor %}"),
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
      // Blocks within blocks, each with much text of its own.
      {"{% set b = 'x' | replace('x', 'yyyyyyyyyyyyyyyy') %}"
       "{% macro m() %}{% for i in range(999999) %}{{ b }}{{ b }}{% endfor %}{{ m() }}{% endmacro "
       "%}"
       "{{ m() }}",
       "the template takes more than 10000000 steps"},
      {"{% set n = namespace(x='.0') %}{% for i in range(23) %}{% set n.x = n.x + n.x %}"
       "{% endfor %}{{ ['a'] | map(attribute='0' + n.x) | list | length }}",
       "the template takes more than 10000000 steps"},
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
  auto text = [](const char *config) { return ChatTemplate::fromFiles(config, "").render({}); };
  EXPECT_EQ(text(R"({"chat_template": "a"})"), "a");
  EXPECT_EQ(text(R"({"chat_template": [{"name": "x", "template": "b"},
                     {"name": "default", "template": "c"}]})"),
            "c");
  expectHas(errorOf([&] { text("{}"); }), "has no chat_template, and there is no chat_template.j");
  expectHas(errorOf([&] { text(""); }), "tokenizer_config.json has no chat_template");
  expectHas(errorOf([&] { text(R"({"chat_template": [{"name": "rag", "template": ""}]})"); }),
            "has no template named 'default'; it has: rag");
  expectHas(errorOf([&] { text(R"({"chat_template": 3})"); }),
            "chat_template is 3, expected a string");
  expectHas(errorOf([&] { text(R"({"chat_template": []})"); }), "has no template named 'default'");
  expectHas(errorOf([&] { text("["); }), "not valid JSON");
  expectHas(errorOf([&] { text(R"({"eos_token": 3, "chat_template": ""})"); }),
            "eos_token is 3, expected a string");
}

TEST(ChatTemplate, ItsOwnFileWins) {
  const char *config = R"({"chat_template": "a", "eos_token": {"content": "</s>"}})";
  EXPECT_EQ(ChatTemplate::fromFiles(config, "b{{ eos_token }}").render({}), "b</s>");
  EXPECT_EQ(ChatTemplate::fromFiles("", "b{{ eos_token is defined }}").render({}), "bFalse");
}

TEST(ChatTemplate, PassesWhatTheCallerSays) {
  ChatTemplate chat =
      ChatTemplate::parse("{{ enable_thinking }}|{{ thinking }}|{{ strftime_now('%d %b %Y %%') }}|"
                          "{% for m in messages %}{{ m.reasoning_content }};{% endfor %}");
  EXPECT_EQ(
      chat.render({{"user", "a"}, {"assistant", "b", "c"}}, {.thinking = false, .now = 1767960000}),
      "False|False|09 Jan 2026 %|;c;");
  EXPECT_EQ(chat.render({}, {.now = 1767960000}), "||09 Jan 2026 %|");
}

TEST(ChatTemplate, RefusesMessagesThatAreNotUtf8) {
  expectHas(errorOf([] { render("", {{"user", "a\xff"}}); }),
            "message 0's content is not valid UTF-8 (byte 1)");
  expectHas(errorOf([] { render("", {{"assistant", "a", "\xff"}}); }),
            "message 0's reasoning is not valid UTF-8 (byte 0)");
}

} // namespace
