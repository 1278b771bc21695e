#include "runtime/core/Model.h"
#include "test/runtime/toy/ExpectError.h"
#include "test/runtime/toy/TestBundle.h"

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

using namespace moec::rt;
using namespace moec::rt::test;

namespace {

void addFile(BundleParts &parts, const char *name, const char *content) {
  parts.manifest.files.push_back(std::make_unique<fb::TextFileT>());
  parts.manifest.files.back()->name = name;
  parts.manifest.files.back()->text = content;
}

TEST(Model, StopTokens) {
  using V = std::vector<int32_t>;
  EXPECT_EQ(parseStopTokens(R"({"eos_token_id": 1})", "f", 10), V{1});
  EXPECT_EQ(parseStopTokens(R"({"eos_token_id": [3, 4]})", "f", 10), (V{3, 4}));
  EXPECT_EQ(parseStopTokens(R"({"eos_token_id": null})", "f", 10), V{});
  EXPECT_EQ(parseStopTokens("{}", "f", 10), V{});
  EXPECT_RT_ERROR(parseStopTokens("[]", "f", 10), Bundle, "f: is no JSON object");
  EXPECT_RT_ERROR(parseStopTokens("{", "f", 10), Bundle, "f: is no JSON object");
  for (const char *bad : {R"({"eos_token_id": 10})", R"({"eos_token_id": -1})",
                          R"({"eos_token_id": "a"})", R"({"eos_token_id": [1, 2.5]})"})
    EXPECT_RT_ERROR(parseStopTokens(bad, "f", 10), Bundle, "expected token ids below 10");
}

TEST(Model, GenerationConfigComesBeforeConfig) {
  BundleParts parts = toyParts();
  addFile(parts, "config.json", R"({"eos_token_id": 5})");
  TempFile onlyConfig(".moeb", assemble(toyParts(), [&](fb::ManifestT &m) {
                        m.files = std::move(parts.manifest.files);
                      }));
  EXPECT_EQ(Model(onlyConfig.path()).stopTokens(), std::vector<int32_t>{5});
  BundleParts both = toyParts();
  addFile(both, "config.json", R"({"eos_token_id": 5})");
  addFile(both, "generation_config.json", R"({"eos_token_id": [6, 7]})");
  TempFile file(".moeb", assemble(std::move(both)));
  EXPECT_EQ(Model(file.path()).stopTokens(), (std::vector<int32_t>{6, 7}));
}

TEST(Model, UsesWeightsWhereTheyAreMapped) {
  TempFile file(".moeb", assemble(toyParts()));
  Model model(file.path());
  model.loadWeights();
  EXPECT_EQ(model.weight(0).data, model.bundle().segment(1).data());
  EXPECT_EQ(model.weightBytes(), 2u * TOY_VOCAB * TOY_WIDTH * 4);
}

TEST(Model, FillsSyntheticWeights) {
  TempFile file(".moeb", assemble(toyParts(ToyWeights::Synthetic)));
  Model a(file.path(), {.device = {.threads = 1}}), b(file.path(), {.device = {.threads = 3}});
  a.loadWeights();
  b.loadWeights();
  size_t elements = TOY_VOCAB * TOY_WIDTH, bytes = elements * 4;
  EXPECT_EQ(std::memcmp(a.weight(0).data, b.weight(0).data, bytes), 0);
  EXPECT_NE(std::memcmp(a.weight(0).data, a.weight(1).data, bytes), 0);
  double squares = 0;
  for (size_t i = 0; i < elements; ++i)
    squares += std::pow(static_cast<const float *>(a.weight(0).data)[i], 2);
  EXPECT_NEAR(std::sqrt(squares / elements), 0.5, 0.02);
}

TEST(Model, DescribesAnyTarget) {
  TempFile file(".moeb", assemble(toyParts(ToyWeights::None), [](fb::ManifestT &m) {
                  m.target->arch = "znver99";
                  m.target->features = {"quantum"};
                }));
  EXPECT_RT_ERROR(Model(file.path()), Target, "quantum");
  Model model(file.path(), {.describeOnly = true});
  EXPECT_RT_ERROR(model.device(), Argument, "opened to be described only");
  auto json = nlohmann::json::parse(describeJson(model.bundle()));
  EXPECT_EQ(json["model_type"], "toy");
  EXPECT_EQ(json["target"]["arch"], "znver99");
  EXPECT_EQ(json["weights"], "none");
  EXPECT_EQ(json["weight_bytes"], 2 * TOY_VOCAB * TOY_WIDTH * 4);
  EXPECT_EQ(json["entries"][1]["programs"].size(), 3u);
}

} // namespace
