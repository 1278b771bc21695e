// The imported model, interpreted, against the published code's float32 logits:
// the proof that the import is right, before any code is generated.
#include "codegen/interpret/CheckpointWeights.h"
#include "codegen/interpret/Sequence.h"
#include "models/Models.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>

using namespace moec;
using reference::Tensor;

namespace {
/// An imported checkpoint and its golden file.
class Golden {
public:
  explicit Golden(const std::string &folder) {
    std::string path = std::string(std::getenv("MOEC_SOURCE_DIR")) + "/" + folder;
    file = llvm::cantFail(frontend::SafeTensorsFile::open(path + "/golden.safetensors"));
    checkpoint = llvm::cantFail(frontend::Checkpoint::open(path));
    frontend::ImportOptions options;
    options.quantizeInputs = false;
    module = llvm::cantFail(models::importModel(&context, *checkpoint, options));
    provider = llvm::cantFail(interpret::CheckpointWeights::create(*checkpoint));
    weights.emplace(*provider);
  }

  interpret::Sequence sequence(llvm::StringRef entry = "forward") {
    return llvm::cantFail(interpret::Sequence::create(*module, *weights, entry, 256));
  }

  /// [rows, columns] of an F32 tensor.
  Tensor floats(const std::string &name) {
    const auto *info = file->find(name);
    if (!info)
      throw std::runtime_error("the golden has no " + name);
    return Tensor(info->shape, llvm::cantFail(interpret::decode({file.get(), info})));
  }

  std::vector<int32_t> tokens(const std::string &name) {
    auto bytes = file->bytes(*file->find(name));
    std::vector<int64_t> wide(bytes.size() / sizeof(int64_t));
    std::memcpy(wide.data(), bytes.data(), bytes.size());
    return {wide.begin(), wide.end()};
  }

  bool has(const std::string &name) { return file->find(name); }

private:
  mlir::MLIRContext context;
  std::unique_ptr<frontend::SafeTensorsFile> file;
  std::unique_ptr<frontend::Checkpoint> checkpoint;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<interpret::CheckpointWeights> provider;
  std::optional<reference::WeightStore> weights;
};

/// |actual - expected| / |expected|
double relativeError(const Tensor &actual, const Tensor &expected) {
  EXPECT_EQ(actual.shape, expected.shape);
  double errors = 0, squares = 0;
  for (size_t i = 0; i < expected.data.size(); ++i) {
    errors += std::pow(actual.data[i] - expected.data[i], 2);
    squares += std::pow(expected.data[i], 2);
  }
  return std::sqrt(errors / squares);
}

constexpr double exactTolerance = 1e-5;

class GoldenTest : public testing::TestWithParam<const char *> {};
} // namespace

TEST_P(GoldenTest, PrefillLogitsAgree) {
  Golden golden(GetParam());
  for (int i = 0; golden.has("p" + std::to_string(i) + ".logits"); ++i) {
    std::string prompt = "p" + std::to_string(i);
    auto logits = llvm::cantFail(golden.sequence().step(golden.tokens(prompt + ".input_ids")));
    double error = relativeError(logits, golden.floats(prompt + ".logits"));
    EXPECT_LE(error, exactTolerance) << prompt;
    RecordProperty(prompt, llvm::formatv("{0:e}", error).str());
  }
}

TEST_P(GoldenTest, TokensOneByOneAgree) {
  Golden golden(GetParam());
  auto sequence = golden.sequence();
  Tensor expected = golden.floats("p1.logits");
  for (auto [t, token] : llvm::enumerate(golden.tokens("p1.input_ids"))) {
    auto logits = llvm::cantFail(sequence.step(token));
    Tensor row({1, expected.columns()},
               {expected.row(int64_t(t)), expected.row(int64_t(t)) + expected.columns()});
    EXPECT_LE(relativeError(logits, row), exactTolerance) << "token " << t;
  }
}

TEST_P(GoldenTest, NextTokenPredictionAgrees) {
  Golden golden(GetParam());
  for (int i = 0; golden.has("p" + std::to_string(i) + ".mtp.logits_prenorm"); ++i) {
    std::string prompt = "p" + std::to_string(i);
    auto tokens = golden.tokens(prompt + ".input_ids");
    tokens.erase(tokens.begin());
    tokens.push_back(golden.tokens(prompt + ".greedy.tokens")[0]);
    int layers = 0;
    while (golden.has(prompt + ".hidden." + std::to_string(layers + 1)))
      ++layers;
    Tensor hidden = golden.floats(prompt + ".hidden." + std::to_string(layers));
    auto logits = llvm::cantFail(golden.sequence("mtp").step(tokens, &hidden));
    EXPECT_LE(relativeError(logits, golden.floats(prompt + ".mtp.logits_prenorm")), exactTolerance)
        << prompt;
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, GoldenTest,
                         testing::Values("test/golden/Inputs/deepseek_v3",
                                         "test/golden/Inputs/deepseek_v3_noqlora",
                                         "test/golden/Inputs/deepseek_v3_fp8", "models/tiny-r1"),
                         [](const auto &info) {
                           std::string name = llvm::StringRef(info.param).rsplit('/').second.str();
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });
