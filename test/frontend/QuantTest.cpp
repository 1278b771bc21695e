#include "TestFiles.h"
#include "frontend/quant/QuantScheme.h"

using namespace moec::frontend;
using namespace moec::frontend::test;

static const char *official =
    R"({"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
        "weight_block_size": [128, 128]})";

static std::string configWith(const std::string &quantization) {
  return R"({"model_type": "m", "quantization_config": )" + quantization + "}";
}

/// Reads the scheme of a config; faults are returned.
static std::string schemeError(const std::string &text) {
  Json json = valueOf(parseJson(text, "c.json"));
  ConfigReader config(json, "c.json");
  config.harmless({"model_type"});
  EXPECT_NE(readQuantScheme(config), nullptr);
  return errorOf(config.finish());
}

TEST(QuantScheme, IsReadFromTheConfig) {
  EXPECT_EQ(schemeError(configWith(official)), "(no error)");
  EXPECT_EQ(schemeError(configWith("null")), "(no error)");
}

TEST(QuantScheme, RefusesOthersByKeyAndValue) {
  auto with = [](const char *key, Json value) {
    Json quantization = Json::parse(official);
    quantization[key] = std::move(value);
    return schemeError(configWith(quantization.dump()));
  };
  EXPECT_HAS(with("quant_method", "gptq"), "key 'quantization_config.quant_method' has the "
                                           "unsupported value \"gptq\"; supported: fp8");
  EXPECT_HAS(with("fmt", "e5m2"), "unsupported value \"e5m2\"; supported: e4m3");
  EXPECT_HAS(with("weight_block_size", {64, 128}),
             "unsupported value [64,128]; supported: [128, 128]");
  EXPECT_HAS(with("activation_scheme", "static"),
             "unsupported value \"static\"; supported: dynamic");
  EXPECT_HAS(with("scale_fmt", "ue8m0"), "unknown config key 'quantization_config.scale_fmt'");
  EXPECT_HAS(schemeError(configWith("{}")), "'quantization_config.quant_method' is missing; "
                                            "expected one of: fp8");
  EXPECT_HAS(schemeError(configWith("3")), "'quantization_config' must be an object");
  EXPECT_HAS(schemeError(R"({"torch_dtype": "float8"})"),
             "key 'torch_dtype' has the unsupported value");
}

namespace {

class Resolve : public testing::Test {
protected:
  using Entries = std::vector<SafeTensorsWriter::Entry>;
  /// Resolves w.weight [200, 130] in a checkpoint holding `entries`, or in a
  /// bare config.json when there are none.
  llvm::Expected<WeightSource> resolve(Entries entries, bool quantizable = true,
                                       const char *quantization = official) {
    folder.write("config.json", configWith(quantization));
    if (!entries.empty())
      writeZeros(folder.path("model.safetensors"), entries);
    checkpoint = valueOf(Checkpoint::open(folder.path()));
    ConfigReader config(checkpoint->config(), "config.json");
    auto scheme = readQuantScheme(config);
    return scheme->resolve(*checkpoint, {"w.weight", {200, 130}, quantizable, std::nullopt});
  }
  TestFolder folder;
  std::unique_ptr<Checkpoint> checkpoint;
};

} // namespace

TEST_F(Resolve, QuantizedWeightWithPartialBlocks) {
  WeightSource source = valueOf(resolve(
      {{"w.weight", DType::F8_E4M3, {200, 130}}, {"w.weight_scale_inv", DType::F32, {2, 2}}}));
  EXPECT_TRUE(source.isQuantized());
  EXPECT_EQ(source.dtype, DType::F8_E4M3);
  EXPECT_EQ(source.scaleName, "w.weight_scale_inv");
  EXPECT_EQ(source.scaleShape, (llvm::SmallVector<int64_t, 2>{2, 2}));
}

TEST_F(Resolve, PlainWeightInAQuantizedCheckpoint) {
  for (DType dtype : {DType::BF16, DType::F16, DType::F32}) {
    WeightSource source = valueOf(resolve({{"w.weight", dtype, {200, 130}}}));
    EXPECT_FALSE(source.isQuantized());
    EXPECT_EQ(source.dtype, dtype);
  }
}

TEST_F(Resolve, WithoutWeightsTheSchemeDecides) {
  EXPECT_TRUE(valueOf(resolve({})).isQuantized());
  EXPECT_FALSE(valueOf(resolve({}, false)).isQuantized());
  EXPECT_FALSE(valueOf(resolve({}, true, "null")).isQuantized());
}

TEST_F(Resolve, Faults) {
  Entries weight = {{"w.weight", DType::F8_E4M3, {200, 130}}};
  auto with = [&](SafeTensorsWriter::Entry scale) { return Entries{weight[0], scale}; };
  EXPECT_HAS(errorOf(resolve({{"x", DType::F32, {}}})), "tensor 'w.weight' is missing");
  EXPECT_HAS(errorOf(resolve(weight)), "tensor 'w.weight' is F8_E4M3, but its scale "
                                       "'w.weight_scale_inv' is missing");
  EXPECT_HAS(errorOf(resolve(with({"w.weight_scale_inv", DType::F32, {2, 1}}))),
             "scale 'w.weight_scale_inv' has shape [2, 1]; a weight of "
             "[200, 130] in blocks of 128x128 needs [2, 2]");
  EXPECT_HAS(errorOf(resolve(with({"w.weight_scale_inv", DType::BF16, {2, 2}}))),
             "scale 'w.weight_scale_inv' is BF16; expected F32");
  EXPECT_HAS(errorOf(resolve({{"w.weight", DType::BF16, {200, 130}},
                              {"w.weight_scale_inv", DType::F32, {2, 2}}})),
             "is a scale, but 'w.weight' is BF16, not quantized");
  EXPECT_HAS(errorOf(resolve({{"w.weight", DType::F8_E4M3, {130, 200}},
                              {"w.weight_scale_inv", DType::F32, {2, 2}}})),
             "has shape [130, 200]; the config asks for "
             "[200, 130]");
  EXPECT_HAS(errorOf(resolve({{"w.weight", DType::BF16, {130}}})),
             "has shape [130]; the config asks for [200, 130]");
  EXPECT_HAS(errorOf(resolve({{"w.weight", DType::F64, {200, 130}}})),
             "is F64; expected BF16, F16 or F32");
  EXPECT_HAS(errorOf(resolve(with({"w.weight_scale_inv", DType::F32, {2, 2}}), false)),
             "only the matrices of linear layers may be");
  EXPECT_HAS(errorOf(resolve(weight, true, "null")),
             "is F8_E4M3; expected BF16, F16 or F32 (the config "
             "describes no quantization for it)");
}

TEST_F(Resolve, StackOfTensors) {
  WeightRequest stack{"w.{}.weight", {200, 130}, true, std::nullopt, 2};
  EXPECT_EQ(stack.expand()[1].name, "w.1.weight");
  auto errorWith = [&](Entries entries) {
    folder.write("config.json", configWith(official));
    writeZeros(folder.path("model.safetensors"), entries);
    checkpoint = valueOf(Checkpoint::open(folder.path()));
    ConfigReader config(checkpoint->config(), "config.json");
    return errorOf(resolveWeight(*readQuantScheme(config), *checkpoint, stack));
  };
  SafeTensorsWriter::Entry first{"w.0.weight", DType::F8_E4M3, {200, 130}};
  SafeTensorsWriter::Entry scale{"w.0.weight_scale_inv", DType::F32, {2, 2}};
  EXPECT_HAS(errorWith({first, scale, {"w.1.weight", DType::BF16, {200, 130}}}),
             "tensor 'w.1.weight' is BF16, but 'w.0.weight' is F8_E4M3; the tensors of one stack "
             "must be stored alike");
  EXPECT_HAS(errorWith({first, scale}), "tensor 'w.1.weight' is missing");
}
