// moec-opt: runs passes on moec IR, for lit tests and for people.
#include "CheckNumerics.h"
#include "PassPlugins.h"
#include "codegen/target/amd/AmdTarget.h"
#include "codegen/target/cpu/CpuTarget.h"
#include "codegen/target/nvidia/NvidiaTarget.h"
#include "passes/Passes.h"
#include "test/lib/TestPasses.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"

namespace cl = llvm::cl;

static cl::OptionCategory numericsCategory("Numerics");
static cl::opt<bool> checkNumerics(
    "check-numerics", cl::cat(numericsCategory),
    cl::desc("Interpret functions before and after each pass; fail past the tolerance"));
static cl::opt<uint64_t> numericsSeed("numerics-seed", cl::init(1), cl::cat(numericsCategory),
                                      cl::desc("Seed of inputs and weights"));
static cl::list<std::string> numericsDims("numerics-dims", cl::CommaSeparated,
                                          cl::cat(numericsCategory),
                                          cl::value_desc("tokens=5,sequences=2,output_rows=2"),
                                          cl::desc("Run-time sizes of the inputs"));
static cl::list<std::string>
    numericsTolerance("numerics-tolerance", cl::CommaSeparated, cl::cat(numericsCategory),
                      cl::value_desc("1e-9,quantize-activations=0.2"),
                      cl::desc("Largest relative L2 error of a result, of any pass or of one"));
static cl::opt<bool> numericsStrict("numerics-strict", cl::cat(numericsCategory),
                                    cl::desc("Fail as well when something cannot be compared"));

/// Runs the pipeline of the command line under the numerics check.
static int runChecked(llvm::StringRef input, llvm::StringRef output,
                      mlir::DialectRegistry &registry) {
  moec::NumericsOptions options;
  options.seed = numericsSeed;
  options.strict = numericsStrict;
  if (auto error = moec::parseTolerances(numericsTolerance, options)) {
    llvm::errs() << "error: --numerics-tolerance: " << llvm::toString(std::move(error)) << "\n";
    return 1;
  }
  if (auto error = moec::parseDims(numericsDims, options.dims)) {
    llvm::errs() << "error: --numerics-dims: " << llvm::toString(std::move(error)) << "\n";
    return 1;
  }
  std::string message;
  auto inputFile = mlir::openInputFile(input, &message);
  auto outputFile = inputFile ? mlir::openOutputFile(output, &message) : nullptr;
  if (!outputFile) {
    llvm::errs() << "error: " << message << "\n";
    return 1;
  }
  bool failed = false;
  auto config = mlir::MlirOptMainConfig::createFromCLOptions();
  auto parsed = config;
  config.setPassPipelineSetupFn([&](mlir::PassManager &manager) {
    manager.getContext()->disableMultithreading(); // one function at a time sees the module
    manager.addInstrumentation(
        std::make_unique<moec::CheckNumerics>(options, llvm::errs(), failed));
    return parsed.setupPassPipeline(manager);
  });
  auto result = mlir::MlirOptMain(outputFile->os(), std::move(inputFile), registry, config);
  if (mlir::failed(result) || failed)
    return 1;
  outputFile->keep();
  return 0;
}

int main(int argc, char **argv) {
  if (auto error = moec::loadPassPlugins(argc, argv)) {
    llvm::errs() << "error: --load-pass-plugin: " << llvm::toString(std::move(error)) << "\n";
    return 1;
  }
  mlir::DialectRegistry registry;
  registry.insert<mlir::func::FuncDialect, moec::moe::MoeDialect, moec::kern::KernDialect,
                  moec::plan::PlanDialect>();
  moec::codegen::registerCpuTarget(registry);
  moec::codegen::registerAmdTargets(registry);
  moec::codegen::registerNvidiaTargets(registry);
  mlir::registerTransformsPasses();
  moec::passes::registerMoecPasses();
  moec::passes::registerMoecPipelines();
  moec::test::registerTestTarget(registry);
  moec::test::registerTestRowAnalysis();
  auto [input, output] =
      mlir::registerAndParseCLIOptions(argc, argv, "moec optimizer driver\n", registry);
  if (checkNumerics)
    return runChecked(input, output, registry);
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, input, output, registry));
}
