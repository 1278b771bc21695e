#include "frontend/config/Config.h"
#include "TestFiles.h"

using namespace moec::frontend;
using namespace moec::frontend::test;

namespace {
struct Opened {
  explicit Opened(const char *text)
      : json(valueOf(parseJson(text, "c.json"))), config(json, "c.json") {}
  Json json;
  ConfigReader config;
};
} // namespace

TEST(Config, ReadsEachKind) {
  Opened c(R"({"i": 3, "f": 0.5, "whole": 2, "b": true, "s": "x",
               "list": [1, 2], "one": 7, "null": null, "o": {"k": 1}})");
  EXPECT_EQ(c.config.requiredInt("i", 0, 9), 3);
  EXPECT_EQ(c.config.optionalInt("absent", 5, 0, 9), 5);
  EXPECT_EQ(c.config.nullableInt("null", 0, 9), std::nullopt);
  EXPECT_EQ(c.config.requiredFloat("f", 0, 1), 0.5);
  EXPECT_EQ(c.config.requiredFloat("whole", 0, 9), 2.0);
  EXPECT_EQ(c.config.optionalFloat("absent", 0.25, 0, 1), 0.25);
  EXPECT_TRUE(c.config.requiredBool("b"));
  EXPECT_FALSE(c.config.optionalBool("absent", false));
  EXPECT_EQ(c.config.requiredString("s"), "x");
  EXPECT_EQ(c.config.optionalString("absent", "y"), "y");
  EXPECT_EQ(c.config.requiredOneOf("s", {"w", "x"}), "x");
  EXPECT_EQ(c.config.optionalOneOf("absent", {"w", "x"}), "w");
  EXPECT_EQ(c.config.requiredIntList("list", 2, 0, 9), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(c.config.optionalIntOrList("one", 0, 9), std::vector<int64_t>{7});
  EXPECT_EQ(c.config.optionalIntOrList("list", 0, 9).size(), 2u);
  EXPECT_EQ(c.config.optionalIntOrList("null", 0, 9).size(), 0u);
  EXPECT_EQ(c.config.optionalObject("null"), nullptr);
  EXPECT_EQ(c.config.optionalObject("o")->requiredInt("k", 0, 9), 1);
  EXPECT_FALSE(c.config.has("null"));
  EXPECT_EQ(errorOf(c.config.finish()), "(no error)");
}

TEST(Config, FaultsNameFileKeyFoundAndExpected) {
  auto faultOf = [](const char *text, auto read) {
    Opened c(text);
    read(c.config);
    return errorOf(c.config.finish());
  };
  EXPECT_EQ(faultOf("{}", [](auto &c) { c.requiredInt("k", 1, 9); }),
            "'c.json': key 'k' is missing; expected an integer from 1 to 9");
  EXPECT_EQ(faultOf(R"({"k": 0})", [](auto &c) { c.requiredInt("k", 1, 9); }),
            "'c.json': key 'k' must be an integer from 1 to 9, found 0");
  EXPECT_EQ(faultOf(R"({"k": 18446744073709551615})", [](auto &c) { c.optionalInt("k", 1, 1, 9); }),
            "'c.json': key 'k' must be an integer from 1 to 9, found "
            "18446744073709551615");
  EXPECT_EQ(faultOf(R"({"k": 1.5})", [](auto &c) { c.nullableInt("k", 1, 9); }),
            "'c.json': key 'k' must be an integer from 1 to 9, found 1.5");
  EXPECT_EQ(faultOf(R"({"k": null})", [](auto &c) { c.requiredInt("k", 1, 9); }),
            "'c.json': key 'k' must be an integer from 1 to 9, found null");
  EXPECT_HAS(faultOf(R"({"k": "1"})", [](auto &c) { c.requiredFloat("k", 0, 1); }),
             "'k' must be a number from 0.00 to 1.00, found \"1\"");
  EXPECT_HAS(faultOf(R"({"k": 1})", [](auto &c) { c.requiredBool("k"); }),
             "'k' must be true or false, found 1");
  EXPECT_HAS(faultOf("{}", [](auto &c) { c.requiredBool("k"); }),
             "'k' is missing; expected true or false");
  EXPECT_HAS(faultOf(R"({"k": []})", [](auto &c) { c.requiredString("k"); }),
             "'k' must be a string, found a list");
  EXPECT_HAS(faultOf(R"({"k": "z"})", [](auto &c) { c.optionalOneOf("k", {"w", "x"}); }),
             "'k' has the unsupported value \"z\"; supported: w, x");
  EXPECT_HAS(faultOf(R"({"k": 1})", [](auto &c) { c.requiredOneOf("k", {"w"}); }),
             "'k' must be a string, found 1");
  EXPECT_HAS(faultOf(R"({"k": [1]})", [](auto &c) { c.requiredIntList("k", 2, 0, 9); }),
             "'k' must be a list of 2 integers from 0 to 9, found [1]");
  EXPECT_HAS(faultOf(R"({"k": [1, "a"]})", [](auto &c) { c.requiredIntList("k", 2, 0, 9); }),
             "'k' must be an integer from 0 to 9, found \"a\"");
  EXPECT_HAS(faultOf(R"({"k": [-1]})", [](auto &c) { c.optionalIntOrList("k", 0, 9); }),
             "found -1");
  EXPECT_HAS(faultOf(R"({"k": 3})", [](auto &c) { c.optionalObject("k"); }),
             "'k' must be an object, found 3");
  EXPECT_HAS(faultOf("[]", [](auto &c) {}), "'c.json' must hold an object, found a list");
}

TEST(Config, UnknownKeysAreFaults) {
  Opened c(R"({"used": 1, "harmless": 2, "new_trick": true,
               "o": {"inner": 3}})");
  c.config.requiredInt("used", 0, 9);
  c.config.harmless({"harmless"});
  c.config.optionalObject("o");
  std::string text = errorOf(c.config.finish());
  EXPECT_HAS(text, "'c.json': unknown config key 'new_trick' (value true) may "
                   "change what the model computes");
  EXPECT_HAS(text, "unknown config key 'o.inner' (value 3)");
}

TEST(Config, AllFaultsAreToldAtOnce) {
  Opened c(R"({"a": "x", "b": "y"})");
  c.config.requiredInt("a", 0, 9);
  c.config.requiredInt("b", 0, 9);
  std::string text = errorOf(c.config.finish());
  EXPECT_HAS(text, "'a'");
  EXPECT_HAS(text, "'b'");
}
