#include "frontend/checkpoint/TokenizerCheck.h"
#include "TestFiles.h"

using namespace moec::frontend;
using namespace moec::frontend::test;

static std::string check(const char *text) { return errorOf(checkTokenizer(text, "t.json", 10)); }

TEST(TokenizerCheck, AcceptsAVocabularyThatFits) {
  EXPECT_EQ(check(R"({"model": {"vocab": {"a": 0, "b": 8}},
                      "added_tokens": [{"content": "<s>", "id": 9}]})"),
            "(no error)");
  EXPECT_EQ(check(R"({"model": {"vocab": {}}})"), "(no error)");
}

TEST(TokenizerCheck, RefusesIdsOutsideTheVocabulary) {
  EXPECT_EQ(check(R"({"model": {"vocab": {"a": 10}}})"),
            "'t.json': token 'a' has id 10, but the config's vocab_size is 10; the tokenizer "
            "belongs to another model");
  EXPECT_HAS(check(R"({"model": {"vocab": {}}, "added_tokens": [{"content": "<s>", "id": 11}]})"),
             "token '<s>' has id 11");
  EXPECT_HAS(check(R"({"model": {"vocab": {"a": -1}}})"), "must have an id of 0 or more, found -1");
  EXPECT_HAS(check(R"({"model": {"vocab": {"a": "1"}}})"), "found \"1\"");
  EXPECT_HAS(check(R"({"model": {"vocab": {"a": 18446744073709551615}}})"), "token 'a'");
}

TEST(TokenizerCheck, RefusesOtherForms) {
  EXPECT_HAS(check("{"), "'t.json' is not valid JSON");
  EXPECT_HAS(check("[]"), "'model.vocab' must be an object from tokens to ids, found nothing");
  EXPECT_HAS(check(R"({"model": {"vocab": []}})"), "found a list");
  EXPECT_HAS(check(R"({"model": {"vocab": {}}, "added_tokens": {}})"),
             "'added_tokens' must be a list, found an object");
  EXPECT_HAS(check(R"({"model": {"vocab": {}}, "added_tokens": [{"id": 3}]})"),
             "an added token must have a content and an id");
}
