#include "runtime/text/BpeModel.h"
#include "TestFiles.h"

using namespace moec::rt::text;
using namespace moec::rt::text::test;

namespace {

using Ids = std::vector<int32_t>;

BpeModel load(const Json &model) { return BpeModel::fromJson(JsonView(model, "model")); }

Ids encode(const Json &model, std::string_view word) {
  Ids ids;
  load(model).encodeWord(word, ids);
  return ids;
}

TEST(BpeModel, MergesByRankThenLeftmost) {
  Json model = tinyTokenizer({{"b", "c"}, {"a", "b"}, {"a", "a"}})["model"];
  EXPECT_EQ(encode(model, "abc"), (Ids{'a', 256})); // rank beats place
  EXPECT_EQ(encode(model, "aaa"), (Ids{258, 'a'})); // leftmost of equals
  EXPECT_EQ(encode(model, "aab"), (Ids{'a', 257}));
  EXPECT_EQ(encode(model, ""), Ids{});
}

TEST(BpeModel, MergesCascade) {
  Json model = tinyTokenizer({{"a", "b"}, {"ab", "ab"}, {"abab", "c"}})["model"];
  EXPECT_EQ(encode(model, "ababc"), (Ids{258}));
  EXPECT_EQ(encode(model, "abababab"), (Ids{257, 257}));
}

TEST(BpeModel, ReadsMergesInBothForms) {
  Json model = tinyTokenizer({{"a", "b"}})["model"];
  model["merges"] = {"a b"};
  EXPECT_EQ(encode(model, "ab"), (Ids{256}));
}

TEST(BpeModel, IgnoreMergesTakesWholeWords) {
  Json model = tinyTokenizer()["model"];
  model["vocab"]["Ġxy"] = 256; // no merge leads to it
  EXPECT_EQ(encode(model, " xy"), (Ids{' ', 'x', 'y'}));
  model["ignore_merges"] = true;
  EXPECT_EQ(encode(model, " xy"), (Ids{256}));
  EXPECT_EQ(encode(model, " xyz").size(), 4u);
}

// One fault each: how to spoil the model, and what the error must say.
struct Fault {
  const char *pointer;
  Json value;
  const char *says;
};

TEST(BpeModel, RefusesFaultyModels) {
  const Fault faults[] = {
      {"/type", "WordPiece", "model.type is \"WordPiece\""},
      {"/type", 3, "model.type is 3, expected a string"},
      {"/dropout", 0.5, "model.dropout is 0.5"},
      {"/unk_token", "<unk>", "model.unk_token is \"<unk>\""},
      {"/byte_fallback", true, "has no token '<0x00>' for byte 0; a vocabulary with"},
      {"/byte_fallback", 1, "model.byte_fallback is 1, expected true or false"},
      {"/continuing_subword_prefix", "##", "supported: null or \"\""},
      {"/end_of_word_suffix", "</w>", "model.end_of_word_suffix is"},
      {"/ignore_merges", "yes", "expected true or false"},
      {"/vocab", Json::array(), "model.vocab is an array of 0, expected an"},
      {"/vocab", {{"a", 0}}, "has no token"},
      {"/vocab/b", 97, "which 'a' has already"},
      {"/vocab/b", -1, "is -1, expected an id of 0 to"},
      {"/vocab/b", 4294967296, "is 4294967296, expected an id of 0 to"},
      {"/vocab/b", 18446744073709551615u, "expected an integer of 64 bits"},
      {"/vocab/b", 1.5, "model.vocab['b'] is 1.5, expected an integer"},
      {"/merges", "a b", "model.merges is \"a b\", expected an array"},
      {"/merges", {"ab"}, "expected two tokens with one space between"},
      {"/merges", {"a b c"}, "expected two tokens with one space between"},
      {"/merges", {{"a"}}, "model.merges[0] has 1 parts, expected 2"},
      {"/merges", Json::parse(R"([["a", 3]])"), "model.merges[0][1] is 3, expected a string"},
      {"/merges", {"a zz"}, "names 'zz', which the vocabulary lacks"},
      {"/merges", {"x y"}, "names 'xy', which the vocabulary lacks"},
      {"/merges", {7}, "model.merges[0] is 7, expected a string"},
  };
  for (const Fault &fault : faults) {
    SCOPED_TRACE(std::string(fault.pointer) + " = " + fault.value.dump());
    Json model = tinyTokenizer({{"a", "b"}})["model"];
    model[Json::json_pointer(fault.pointer)] = fault.value;
    expectHas(errorOf([&] { load(model); }), fault.says);
  }
}

} // namespace
