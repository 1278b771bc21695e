// Small tokenizers built as the families' own are (each section of the file as
// they publish it, a vocabulary of some hundred tokens), against what Hugging
// Face's tokenizers library wrote down for the texts of texts.json.
#include "TestFiles.h"
#include "runtime/text/Tokenizer.h"

using namespace moec::rt::text;
using namespace moec::rt::text::test;

namespace {

using Ids = std::vector<int32_t>;

const std::string folder = "test/runtime/text/Inputs/families/";

const Json &texts() {
  static const Json list = Json::parse(readSourceFile(folder + "texts.json"));
  return list;
}

std::string streamed(const Tokenizer &tokenizer, const Ids &ids) {
  StreamDecoder stream(tokenizer, /*skipSpecial=*/true);
  std::string out;
  for (int32_t id : ids)
    out += stream.push(id);
  return out + stream.finish();
}

// `cases`: ids by text; "decoded" where it is not the text, and
// "decoded_skip_special" where it is not "decoded".
void checkCases(const Tokenizer &tokenizer, const Json &cases) {
  ASSERT_GT(texts().size(), 370u);
  ASSERT_EQ(cases["ids"].size(), texts().size());
  EXPECT_EQ(tokenizer.vocabSize(), cases["vocab_size"].get<int>());
  EXPECT_EQ(tokenizer.encode("Hello", true), cases["with_special"].get<Ids>());
  for (size_t i = 0; i < texts().size(); ++i) {
    SCOPED_TRACE(texts()[i].dump());
    std::string text = texts()[i], key = std::to_string(i);
    Ids ids = cases["ids"][i];
    EXPECT_EQ(tokenizer.encode(text, false), ids);
    if (!cases.contains("decoded"))
      continue;
    std::string decoded = cases["decoded"].value(key, text);
    std::string visible = cases["decoded_skip_special"].value(key, decoded);
    EXPECT_EQ(tokenizer.decode(ids, false), decoded);
    EXPECT_EQ(tokenizer.decode(ids, true), visible);
    EXPECT_EQ(streamed(tokenizer, ids), visible);
  }
}

// The tokenizer of a family; `variant` names a patch of its file.
void checkFamily(const std::string &family, const std::string &variant = "") {
  const std::string path = folder + family + "/";
  Json file = Json::parse(readSourceFile(path + "tokenizer.json"));
  const std::string suffix = variant.empty() ? "" : "." + variant;
  if (!variant.empty())
    file.update(Json::parse(readSourceFile(path + "patch" + suffix + ".json")));
  Tokenizer tokenizer =
      Tokenizer::fromJson(file.dump(), readSourceFile(path + "tokenizer_config.json"));
  checkCases(tokenizer, Json::parse(readSourceFile(path + "cases" + suffix + ".json")));
}

TEST(TokenizerFamilies, DeepseekV2) { checkFamily("deepseek_v2"); }
TEST(TokenizerFamilies, Qwen2) { checkFamily("qwen2"); }
TEST(TokenizerFamilies, Qwen3) { checkFamily("qwen3"); }
TEST(TokenizerFamilies, Llama3) { checkFamily("llama3"); }
TEST(TokenizerFamilies, R1DistillQwen) { checkFamily("r1_distill_qwen"); }
TEST(TokenizerFamilies, R1DistillLlama) { checkFamily("r1_distill_llama"); }
TEST(TokenizerFamilies, KimiK2) { checkFamily("kimi_k2"); }
TEST(TokenizerFamilies, Mixtral) { checkFamily("mixtral"); }

// The forms that newer files of SentencePiece vocabularies have.
TEST(TokenizerFamilies, MixtralMetaspaceFirst) { checkFamily("mixtral", "metaspace_first"); }
TEST(TokenizerFamilies, MixtralMetaspaceSplit) { checkFamily("mixtral", "metaspace_always_split"); }

// Added tokens that are looked for in normalized text. The library spells them
// in their normalized form when it decodes, which loses that they are special;
// here they decode as the file spells them, so only ids are compared.
TEST(TokenizerFamilies, MixtralNormalizedTokens) { checkFamily("mixtral", "normalized_tokens"); }
TEST(TokenizerFamilies, Qwen2NormalizedTokens) { checkFamily("qwen2", "normalized_tokens"); }

Json sentencePiece() { return Json::parse(readSourceFile(folder + "mixtral/tokenizer.json")); }

TEST(TokenizerFamilies, StopAndStartTokensOfTheConfig) {
  const std::string path = folder + "llama3/";
  Tokenizer llama = Tokenizer::fromJson(readSourceFile(path + "tokenizer.json"),
                                        readSourceFile(path + "tokenizer_config.json"));
  EXPECT_EQ(llama.bosToken(), "<|begin_of_text|>");
  EXPECT_EQ(llama.eosToken(), "<|eot_id|>");
  EXPECT_EQ(llama.idToToken(*llama.eosId()), "<|eot_id|>");
  EXPECT_TRUE(llama.isSpecial(*llama.eosId()));
}

TEST(TokenizerFamilies, FallbackBytesThatFormNoCharacter) {
  Tokenizer t = Tokenizer::fromJson(sentencePiece().dump(), "");
  int32_t first = *t.tokenToId("<0xE4>"), second = *t.tokenToId("<0xBD>");
  int32_t third = *t.tokenToId("<0xA0>");
  EXPECT_EQ(t.decode({first, second, third}, false), "你");
  EXPECT_EQ(t.decode({first, second, *t.tokenToId("▁the")}, false), "\uFFFD the");
  EXPECT_EQ(streamed(t, {first, second, third, first}), "你\uFFFD");
}

TEST(TokenizerFamilies, OnlyTheFirstSpaceIsLeftOut) {
  Tokenizer t = Tokenizer::fromJson(sentencePiece().dump(), "");
  int32_t the = *t.tokenToId("▁the"), bos = *t.tokenToId("<s>");
  EXPECT_EQ(t.decode({bos, the, the}, true), "the the");
  EXPECT_EQ(t.decode({bos, the, the}, false), "<s> the the");
  EXPECT_EQ(streamed(t, {bos, the, the}), "the the");
}

TEST(TokenizerFamilies, NormalizedTokensDecodeAsTheFileSpellsThem) {
  Json file = Json::parse(readSourceFile(folder + "qwen2/tokenizer.json"));
  file.update(Json::parse(readSourceFile(folder + "qwen2/patch.normalized_tokens.json")));
  Tokenizer t = Tokenizer::fromJson(file.dump(), "");
  Ids ids = t.encode("caf\u00e9", false);
  EXPECT_EQ(ids, (Ids{*t.tokenToId("cafe\u0301")}));
  EXPECT_EQ(t.decode(ids, false), "cafe\u0301");
}

struct Fault {
  const char *pointer;
  Json value;
  const char *says;
};

TEST(TokenizerFamilies, RefusesOtherSentencePieceForms) {
  const Fault faults[] = {
      {"/model/vocab/<0x1F>", nullptr, "model.vocab has no token '<0x1F>' for byte 31"},
      {"/model/byte_fallback", false, "model.unk_token is \"<unk>\""},
      {"/decoder/decoders/0/type", "Metaspace", "decoders[0].type is \"Metaspace\""},
      {"/decoder/decoders/0/pattern", {{"Regex", "x"}}, "pattern has no key 'String'"},
      {"/decoder/decoders/0/pattern/String", "", "String is \"\""},
      {"/decoder/decoders/3/start", 2, "decoders[3] is an object, which is not supported"},
      {"/decoder/decoders", Json::array(), "supported: ByteLevel, or the Sequence Replace"},
      {"/decoder",
       {{"type", "ByteLevel"}},
       "model.byte_fallback is true, but pre_tokenizer has no "
       "ByteLevel and decoder has ByteLevel"},
      {"/pre_tokenizer",
       {{"type", "ByteLevel"}, {"add_prefix_space", false}},
       "pre_tokenizer has ByteLevel and decoder has no ByteLevel"},
      {"/pre_tokenizer",
       {{"type", "Metaspace"}, {"replacement", "ab"}},
       "supported: one character"},
      {"/pre_tokenizer",
       {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "last"}},
       "prepend_scheme is \"last\""},
      {"/pre_tokenizer", {{"type", "Whitespace"}}, "type is \"Whitespace\""},
      {"/normalizer/normalizers/0/type", "Lowercase", "normalizers[0].type is \"Lowercase\""},
      {"/normalizer/normalizers/1/pattern", {{"Regex", " "}}, "the key String, not empty"},
      {"/normalizer/normalizers/1/content", 1, "content is 1, expected a string"},
  };
  for (const Fault &fault : faults) {
    SCOPED_TRACE(std::string(fault.pointer) + " = " + fault.value.dump());
    Json file = sentencePiece();
    Json::json_pointer at(fault.pointer);
    if (fault.value.is_null())
      file[at.parent_pointer()].erase(at.back());
    else
      file[at] = fault.value;
    expectHas(errorOf([&] { Tokenizer::fromJson(file.dump(), ""); }), fault.says);
  }
}

} // namespace
