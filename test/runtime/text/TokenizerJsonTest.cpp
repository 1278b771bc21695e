// tokenizer.json files with one fault each: all are refused with words that
// name the fault.
#include "TestFiles.h"
#include "runtime/text/Tokenizer.h"

using namespace moec::rt::text;
using namespace moec::rt::text::test;

namespace {

std::string errorFor(const std::string &json, const std::string &config = "") {
  return errorOf([&] { Tokenizer::fromJson(json, config); });
}

TEST(TokenizerJson, EveryTruncationIsRefused) {
  std::string text = tinyTokenizer({{"a", "b"}}).dump();
  for (size_t size = 0; size < text.size(); size += 7)
    expectHas(errorFor(text.substr(0, size)), "tokenizer.json: not valid JSON");
}

TEST(TokenizerJson, DeepNestingIsRefused) {
  std::string deep(100000, '[');
  expectHas(errorFor(deep), "nested deeper than 64 levels at byte 64");
  expectHas(errorFor(tinyTokenizer().dump(), deep), "tokenizer_config.json: nested deeper");
}

struct Fault {
  const char *pointer;
  Json value;
  const char *says;
};

TEST(TokenizerJson, RefusesFaultyFiles) {
  const Fault faults[] = {
      {"/model", nullptr, "tokenizer.json.model is null, expected an object"},
      {"/normalizer", {{"type", "Nmt"}}, "normalizer.type is \"Nmt\""},
      {"/normalizer",
       {{"type", "Sequence"}, {"normalizers", {{{"type", "Lowercase"}}}}},
       "normalizers[0].type is \"Lowercase\""},
      {"/pre_tokenizer", nullptr, "pre_tokenizer has no ByteLevel and decoder has ByteLevel"},
      {"/decoder", nullptr, "decoder is null, which is not supported; supported: ByteLevel"},
      {"/decoder", {{"type", "Metaspace"}}, "decoder.type is \"Metaspace\""},
      {"/truncation", {{"max_length", 1}}, "truncation is an object"},
      {"/padding", {{"strategy", "x"}}, "padding is an object"},
      {"/post_processor", {{"type", "Bert"}}, "post_processor.type is \"Bert\""},
      {"/post_processor",
       {{"type", "TemplateProcessing"}, {"single", {{{"SpecialToken", {{"id", "<s>"}}}}}}},
       "names the token '<s>'"},
      {"/added_tokens", 1, "added_tokens is 1, expected an array"},
      {"/added_tokens", {addedToken(-1, "x", true)}, "id is -1"},
      {"/added_tokens", {addedToken(1 << 30, "x", true)}, "id is 1073741824"},
      {"/added_tokens", {addedToken(300, "", true)}, "content is \"\""},
      {"/added_tokens",
       {addedToken(300, std::string(600, 'x'), true)},
       "supported: 1 to 512 bytes"},
      {"/added_tokens", {addedToken('a', "<x>", true)}, "which 'a' has already"},
      {"/added_tokens",
       {addedToken(300, "a", true)},
       "gives 'a' the id 300, but it has the id 97 already"},
      {"/added_tokens",
       {addedToken(300, "x1", true), addedToken(300, "x1", true)},
       "but it has the id 300 already"},
      {"/added_tokens",
       {addedToken(300, "x1", true), addedToken(300, "x2", true)},
       "which 'x1' has already"},
      {"/added_tokens", {{{"id", 300}}}, "has no key 'content'"},
  };
  for (const Fault &fault : faults) {
    SCOPED_TRACE(std::string(fault.pointer) + " = " + fault.value.dump());
    Json json = tinyTokenizer();
    json[Json::json_pointer(fault.pointer)] = fault.value;
    expectHas(errorFor(json.dump()), fault.says);
  }
}

// Every value of the file replaced by one of each type: never a crash, never
// another exception.
TEST(TokenizerJson, WrongTypesEverywhere) {
  Json json = tinyTokenizer({{"a", "b"}});
  json["added_tokens"] = {addedToken(300, "<s>", true)};
  json["post_processor"] = Json::parse(R"({"type": "Sequence", "processors": [
      {"type": "TemplateProcessing",
       "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {}}]}]})");
  const Json others[] = {nullptr, true, -1, 1.5, "x", Json::array(), {{}}, Json::object()};
  const Json flat = json.flatten();
  for (const auto &[pointer, old] : flat.items()) {
    // Walk up from the leaf, spoiling each level.
    for (Json::json_pointer at(pointer); !at.empty(); at = at.parent_pointer())
      for (const Json &other : others) {
        if (pointer.starts_with("/model/vocab/") && pointer.back() != 'a')
          continue;
        Json spoiled = json;
        spoiled[at] = other;
        try {
          Tokenizer::fromJson(spoiled.dump(), "");
        } catch (const TextError &) {
        }
      }
  }
}

TEST(TokenizerJson, RefusesFaultyConfig) {
  std::string json = tinyTokenizer().dump();
  expectHas(errorFor(json, "[]"), "tokenizer_config.json is an array of 0");
  expectHas(errorFor(json, R"({"add_bos_token": true, "bos_token": "<s>"})"),
            "tokenizer_config.json.bos_token names the token '<s>'");
  expectHas(errorFor(json, R"({"add_bos_token": 1})"),
            "add_bos_token is 1, expected true or false");
  expectHas(errorFor(json, R"({"add_eos_token": true})"), "eos_token names the token ''");
}

} // namespace
