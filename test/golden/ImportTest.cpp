// The imported model, interpreted, against the published code's float32 logits:
// the proof that the import is right, before any code is generated.
#include "codegen/interpret/CheckpointWeights.h"
#include "codegen/interpret/Sequence.h"
#include "models/Models.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
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
  explicit Golden(const std::string &folder, bool quantizeInputs = false) {
    std::string path = std::string(std::getenv("MOEC_SOURCE_DIR")) + "/" + folder;
    file = llvm::cantFail(frontend::SafeTensorsFile::open(path + "/golden.safetensors"));
    checkpoint = llvm::cantFail(frontend::Checkpoint::open(path));
    frontend::ImportOptions options;
    options.quantizeInputs = quantizeInputs;
    module = llvm::cantFail(models::importModel(&context, *checkpoint, options));
    if (quantizeInputs)
      quantize();
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
  /// Makes the quantized mode; the latent up-projection's input stays exact.
  void quantize() {
    mlir::PassManager manager(&context);
    manager.addPass(passes::createExpandExperts());
    manager.addPass(passes::createQuantizeActivations());
    if (mlir::failed(manager.run(*module)))
      throw std::runtime_error("the passes failed");
  }

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

/// The distance of the two best logits.
static double marginOf(const Tensor &logits, int64_t row) {
  std::vector<double> best(logits.row(row), logits.row(row) + logits.columns());
  std::partial_sort(best.begin(), best.begin() + 2, best.end(), std::greater<>());
  return best[0] - best[1];
}

TEST_P(GoldenTest, GreedyTokensAgree) {
  if (llvm::StringRef(GetParam()).contains("tiny-r1"))
    GTEST_SKIP() << "long continuations, which tiny-r1.test compares with a bundle's";
  Golden golden(GetParam());
  for (int i = 0; golden.has("p" + std::to_string(i) + ".greedy.tokens"); ++i) {
    std::string prompt = "p" + std::to_string(i);
    auto sequence = golden.sequence();
    auto logits = llvm::cantFail(sequence.step(golden.tokens(prompt + ".input_ids")));
    for (int32_t expected : golden.tokens(prompt + ".greedy.tokens")) {
      const double *row = logits.row(logits.rows() - 1);
      auto token = int32_t(std::max_element(row, row + logits.columns()) - row);
      EXPECT_EQ(token, expected) << prompt << ", margin " << marginOf(logits, logits.rows() - 1);
      logits = llvm::cantFail(sequence.step(expected));
    }
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

//===----------------------------------------------------------------------===//
// Quantized inputs
//===----------------------------------------------------------------------===//

namespace {
/// Finds the first token that has a value so near to a tie of two FP8 codes that
/// rounding in float32 may decide it otherwise than double. From there on another implementation's
/// logits differ by as much as quantization changes them: one code moves the next layers' values.
class TieFinder {
public:
  explicit TieFinder(int64_t tokens) : tokens(tokens), firstTied(tokens) {}

  void see(mlir::Operation *op, const reference::Values &results) {
    for (auto [name, value] : llvm::zip(op->getResults(), results))
      known[name] = value;
    if (llvm::isa<moe::PermuteOp>(op))
      pairs = std::get<reference::Ints>(*results[0]).data;
    if (auto quantize = llvm::dyn_cast<moe::QuantizeOp>(op))
      check(std::get<Tensor>(*known.lookup(quantize.getX())),
            std::get<reference::Quantized>(*results[0]));
  }

  int64_t getFirstTied() const { return firstTied; }

private:
  /// Relative rounding error of float32 sums of some hundred products.
  static constexpr double nearness = 1e-6;

  void check(const Tensor &x, const reference::Quantized &quantized) {
    for (int64_t row = 0; row < x.rows(); ++row)
      for (int64_t column = 0; column < x.columns(); ++column) {
        double scale = quantized.scales.at(row, column / quantized.block[1]);
        if (isNearTie(std::abs(x.at(row, column) / scale)))
          firstTied = std::min(firstTied, getToken(row, x.rows()));
      }
  }

  static bool isNearTie(double code) {
    if (code == 0)
      return false;
    double step = std::ldexp(1, std::max(std::ilogb(code), -6) - 3), steps = code / step;
    return std::abs(steps - std::floor(steps) - 0.5) < nearness * steps;
  }

  /// Rows are tokens, or slots of the routed experts.
  int64_t getToken(int64_t row, int64_t rows) const {
    return rows == tokens ? row : pairs[row] / (rows / tokens);
  }

  int64_t tokens, firstTied;
  std::vector<int32_t> pairs;
  llvm::DenseMap<mlir::Value, reference::ValuePtr> known;
};
} // namespace

TEST(QuantizedGoldenTest, LogitsAgreeUpToTheFirstTie) {
  Golden golden("test/golden/Inputs/deepseek_v3_fp8", /*quantizeInputs=*/true);
  int64_t compared = 0;
  for (std::string prompt : {"p0", "p1", "p2"}) {
    auto tokens = golden.tokens(prompt + ".input_ids");
    TieFinder ties(int64_t(tokens.size()));
    auto sequence = golden.sequence();
    sequence.observer = [&](mlir::Operation *op, const auto &values) { ties.see(op, values); };
    auto logits = llvm::cantFail(sequence.step(tokens));
    Tensor expected = golden.floats("aqabs." + prompt + ".logits");
    for (int64_t t = 0; t < ties.getFirstTied(); ++t, ++compared) {
      auto row = [t](const Tensor &of) {
        return Tensor({1, of.columns()}, {of.row(t), of.row(t) + of.columns()});
      };
      EXPECT_LE(relativeError(row(logits), row(expected)), exactTolerance) << prompt << " " << t;
    }
  }
  EXPECT_GE(compared, 7);
}

INSTANTIATE_TEST_SUITE_P(
    Checkpoints, GoldenTest,
    testing::Values("test/golden/Inputs/deepseek_v2_group", "test/golden/Inputs/deepseek_v2_lite",
                    "test/golden/Inputs/deepseek_v2_lite_yarn", "test/golden/Inputs/deepseek_v3",
                    "test/golden/Inputs/deepseek_v3_noqlora", "test/golden/Inputs/deepseek_v3_fp8",
                    "test/golden/Inputs/llama3", "test/golden/Inputs/mixtral",
                    "test/golden/Inputs/qwen2", "test/golden/Inputs/qwen2_tied",
                    "test/golden/Inputs/qwen3_moe", "models/tiny-r1"),
    [](const auto &info) {
      std::string name = llvm::StringRef(info.param).rsplit('/').second.str();
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });
