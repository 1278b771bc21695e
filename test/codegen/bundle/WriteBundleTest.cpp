#include "Fixtures.h"

#include "codegen/bundle/WeightPacker.h"
#include "runtime/bundle/BundleFile.h"

#include <cmath>

using namespace moec;
using namespace moec::bundle;
using namespace moec::bundle::test;
namespace fb = moec::rt::fb;

static std::string readAll(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

static const fb::Weight &weight(const rt::BundleFile &bundle, const std::string &name) {
  for (const fb::Weight *w : *bundle.manifest().weights())
    if (w->name()->str() == name)
      return *w;
  throw std::runtime_error("no weight " + name);
}

TEST(WriteBundle, TheRuntimeReadsWhatIsWritten) {
  TestFolder source, out;
  Compiled compiled;
  compiled.makeCheckpoint(source);
  source.write("chat_template.jinja", "{{ bos_token }}");
  valueOf(compiled.write(source, {out.path(), WeightMode::Copy, 2, "test"}));
  rt::BundleFile bundle(out.path());
  const fb::Manifest &m = bundle.manifest();
  EXPECT_EQ(m.model_type()->str(), "toy");
  EXPECT_EQ(m.vocab_size(), 8u);
  EXPECT_EQ(m.max_batch(), 2u);
  EXPECT_EQ(m.pages_per_sequence(), 2u);
  EXPECT_EQ(m.cache()->layers(), 2u);
  EXPECT_EQ(m.cache()->row_width(), 16u);
  EXPECT_EQ(m.numerics()->Get(0)->key()->str(), "activations");
  EXPECT_EQ(bundle.textFile("config.json").substr(0, 1), "{");
  EXPECT_EQ(bundle.textFile("chat_template.jinja"), "{{ bos_token }}");
  EXPECT_EQ(bundle.textFile("tokenizer.json"), "");
  EXPECT_EQ(bundle.segment(m.images()->Get(0)->segment()).size(), 5000u);
  EXPECT_EQ(m.kernels()->Get(0)->num_args(), 3u);
  EXPECT_EQ(m.kernels()->Get(0)->schedule()->str(), "row_tile = 4");
  EXPECT_NE(m.kernels()->Get(0)->spec()->str().find("moe.add"), std::string::npos);

  const fb::Entry &prefill = *bundle.entry("prefill");
  ASSERT_EQ(prefill.programs()->size(), 2u); // sorted by tokens
  EXPECT_EQ(prefill.programs()->Get(0)->max_tokens(), 4u);
  const fb::Launch &launch = *prefill.programs()->Get(1)->launches()->Get(0);
  EXPECT_EQ(launch.label()->str(), "here");
  EXPECT_EQ(launch.args()->Get(1)->kind(), fb::ArgKind::Cache);
  EXPECT_EQ(launch.args()->Get(2)->offset(), 8192u);
  EXPECT_EQ(launch.grid()->cap(), ~uint64_t(0));
}

TEST(WriteBundle, PacksPiecesInOrder) {
  TestFolder source, out;
  Compiled compiled;
  compiled.makeCheckpoint(source);
  valueOf(compiled.write(source, {out.path(), WeightMode::Copy, 1, "test"}));
  rt::BundleFile bundle(out.path());
  auto codes = bundle.segment(weight(bundle, "w.values").segment());
  ASSERT_EQ(codes.size(), 256u * 128);
  for (size_t i : {0, 99, 100, 16383, 16384, 32767})
    EXPECT_EQ(codes[i], i % 100);
  auto scales = bundle.segment(weight(bundle, "w.scales").segment());
  EXPECT_EQ(reinterpret_cast<const float *>(scales.data())[1], 3.0f);
  auto rope = bundle.segment(weight(bundle, "rope.values").segment());
  const float *table = reinterpret_cast<const float *>(rope.data());
  EXPECT_EQ(table[0], 1.0f); // cos 0
  EXPECT_FLOAT_EQ(table[3], std::sin(1.0f));
}

TEST(WriteBundle, SameInputsGiveTheSameBytes) {
  TestFolder source, first, second;
  Compiled compiled, again;
  compiled.makeCheckpoint(source);
  valueOf(compiled.write(source, {first.path(), WeightMode::Copy, 1, "test"}));
  valueOf(again.write(source, {second.path(), WeightMode::Copy, 1, "test"}));
  EXPECT_EQ(readAll(first.path("rank-0.moeb")), readAll(second.path("rank-0.moeb")));
}

TEST(WriteBundle, SyntheticWeightsAreFillsButRopeIsReal) {
  TestFolder source, out;
  Compiled compiled;
  compiled.makeCheckpoint(source);
  valueOf(compiled.write(source, {out.path(), WeightMode::Synthetic, 1, "test"}));
  rt::BundleFile bundle(out.path());
  EXPECT_TRUE(bundle.manifest().weights_present());
  EXPECT_EQ(weight(bundle, "norm.values").fill(), fb::FillKind::Constant);
  EXPECT_EQ(weight(bundle, "norm.values").fill_scale(), 1.0f);
  EXPECT_EQ(weight(bundle, "w.values").fill(), fb::FillKind::Normal);
  float product = weight(bundle, "w.values").fill_scale() * weight(bundle, "w.scales").fill_scale();
  EXPECT_FLOAT_EQ(product, 1 / std::sqrt(128.0f));
  EXPECT_GE(weight(bundle, "rope.values").segment(), 0);
}

TEST(WriteBundle, NoWeights) {
  TestFolder source, out;
  Compiled compiled;
  compiled.makeCheckpoint(source);
  valueOf(compiled.write(source, {out.path(), WeightMode::None, 1, "test"}));
  rt::BundleFile bundle(out.path());
  EXPECT_FALSE(bundle.manifest().weights_present());
  EXPECT_EQ(bundle.manifest().segments()->size(), 1u);
}

/// The error of writing a bundle from a checkpoint, which must leave nothing behind.
static std::string errorOfWriting(Compiled &compiled, const TestFolder &source) {
  TestFolder out;
  std::string inner = out.path("bundle");
  std::string text = errorOf(compiled.write(source, {inner, WeightMode::Copy, 1, "test"}));
  EXPECT_FALSE(llvm::sys::fs::exists(inner));
  return text;
}

TEST(WriteBundle, RefusesScalesThatNoQuantizerWrites) {
  for (float bad : {NAN, INFINITY, -1.0f}) {
    TestFolder source;
    Compiled compiled;
    compiled.makeCheckpoint(source, {1.0f, bad});
    EXPECT_HAS(errorOfWriting(compiled, source), "scale 'b.weight_scale_inv' holds");
  }
}

TEST(WriteBundle, AllowsTheScaleOfABlockOfZeros) {
  TestFolder source, out;
  Compiled compiled;
  compiled.makeCheckpoint(source, {0.0f, 1.0f});
  valueOf(compiled.write(source, {out.path(), WeightMode::Copy, 1, "test"}));
}

TEST(WriteBundle, RefusesACheckpointWithoutWeights) {
  TestFolder source;
  Compiled compiled;
  compiled.makeCheckpoint(source);
  EXPECT_FALSE(llvm::sys::fs::remove(source.path("model.safetensors")));
  EXPECT_HAS(errorOfWriting(compiled, source), "has no weights");
}

TEST(WriteBundle, RefusesAnotherTypeOrShape) {
  TestFolder source;
  std::string text = planText;
  auto replace = [&](const std::string &from, const std::string &to) {
    for (size_t at; (at = text.find(from)) != std::string::npos;)
      text.replace(at, from.size(), to);
  };
  replace("tensor<4xf32>", "tensor<4xbf16>");
  Compiled compiled(text.c_str());
  compiled.makeCheckpoint(source);
  EXPECT_HAS(errorOfWriting(compiled, source),
             "tensor 'norm.weight' is F32; the compiled model needs bf16");
  replace("tensor<4xbf16>", "tensor<5xf32>");
  Compiled longer(text.c_str());
  EXPECT_HAS(errorOfWriting(longer, source), "'norm.weight' has shape [4]");
}
