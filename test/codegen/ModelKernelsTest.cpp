// Every kernel that whole models come to, against the reference interpreter.
#include "models/Models.h"
#include "passes/Passes.h"
#include "test/codegen/KernelHarness.h"

#include "mlir/Pass/PassManager.h"

#include "gtest/gtest.h"

#include <cstdlib>

using namespace moec;
using namespace moec::test;

namespace {

/// The scheduled kernels of a model under the source folder, or of a preset. With bf16 between them
/// the combination is a kernel of its own: the host adds up in the result, which must be f32.
mlir::OwningOpRef<mlir::ModuleOp> lowerModel(const std::string &name, mlir::MLIRContext &context,
                                             bool isBFloat16 = false) {
  std::string path = name;
  if (llvm::StringRef(name).contains('/'))
    path = std::string(std::getenv("MOEC_SOURCE_DIR")) + "/" + name;
  auto checkpoint = llvm::cantFail(models::openModel(path));
  auto module = llvm::cantFail(models::importModel(&context, *checkpoint));
  auto text = [&](llvm::StringRef text) { return mlir::StringAttr::get(&context, text); };
  (*module)->setAttr(kern::kTargetAttr, text("cpu"));
  auto length = mlir::IntegerType::get(&context, 64);
  (*module)->setAttr(passes::kMaxContextAttr, mlir::IntegerAttr::get(length, 256));
  mlir::PassManager manager(&context);
  passes::PipelineOptions options;
  if (isBFloat16) {
    options.activationType = "bf16";
    options.kvCache = "bf16";
    options.disable = std::vector<std::string>{"fuse-down-combine"};
  }
  passes::buildMoecToKern(manager, options);
  if (failed(manager.run(*module)))
    throw std::runtime_error(name + " cannot be lowered");
  return module;
}

/// 1e-5, or what a code step makes when the kernel quantizes.
double getTolerance(kern::KernelOp kernel) {
  bool quantizes = false;
  kernel.walk([&](moe::QuantizeOp) { quantizes = true; });
  return quantizes ? 2e-3 : 1e-5;
}

class ModelKernels : public testing::TestWithParam<const char *> {};

/// All kernels, with `tolerance` or what a kernel allows by itself.
void expectAgreement(mlir::ModuleOp module, double tolerance) {
  for (auto kernel : module.getOps<kern::KernelOp>()) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    kernel->print(stream, mlir::OpPrintingFlags().useLocalScope());
    KernelHarness harness(text);
    for (int64_t tokens : {1, 6}) {
      harness.setDims({.tokens = tokens, .sequences = 2, .outputRows = 1});
      for (auto [i, error] : llvm::enumerate(harness.compare()))
        EXPECT_LE(error, std::max(tolerance, getTolerance(kernel)))
            << kernel.getSymName().str() << " result " << i << ", " << tokens << " tokens";
    }
  }
}

TEST_P(ModelKernels, AgreeWithTheInterpreter) {
  auto context = makeContext();
  expectAgreement(*lowerModel(GetParam(), *context), 0);
}

// Both round the same values; a few lie so near to the middle of two numbers that f32 goes the
// other way, by one part in 256.
TEST_P(ModelKernels, BFloat16BetweenKernels) {
  auto context = makeContext();
  expectAgreement(*lowerModel(GetParam(), *context, /*isBFloat16=*/true), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Models, ModelKernels,
                         testing::Values("test/golden/Inputs/deepseek_v3",
                                         "test/golden/Inputs/deepseek_v3_fp8",
                                         "test/golden/Inputs/deepseek_v3_noqlora",
                                         "test/golden/Inputs/deepseek_v2_group",
                                         "test/golden/Inputs/qwen2", "test/golden/Inputs/qwen3_moe",
                                         "models/tiny-r1"),
                         [](const auto &info) {
                           std::string name = llvm::StringRef(info.param).rsplit('/').second.str();
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// The published 671B model: a few dozen kernels of real size.
TEST(ModelKernels, DeepSeekR1Compiles) {
  auto context = makeContext();
  auto module = lowerModel("deepseek-r1", *context);
  codegen::CpuTarget target(llvm::cantFail(codegen::findCpu("cpu:x86-64-v4")));
  codegen::Image image = llvm::cantFail(codegen::emitImage(*module, target));
  EXPECT_GE(image.kernels.size(), 10u);
  EXPECT_LE(image.kernels.size(), 80u);
}

} // namespace
