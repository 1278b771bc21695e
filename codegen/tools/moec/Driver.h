// The way of a model through the compiler, one function a stage. Errors of the
// passes come as MLIR diagnostics and have been printed when a stage fails.
#pragma once

#include "codegen/bundle/ProgressBar.h"
#include "codegen/bundle/WriteBundle.h"
#include "codegen/tools/moec/Backend.h"
#include "codegen/tools/moec/RemarkLog.h"
#include "models/Models.h"

#include "mlir/Pass/PassManager.h"

#include <CLI/CLI.hpp>

namespace moec {

struct CompileOptions {
  std::string model, output, target = "cpu";
  std::string weights = "copy", scheme = "keep", kvCache, activations, activationType, emit,
              schedules, ptxas, sampling;
  int64_t tensorParallel = 1, expertParallel = 1, pipelineParallel = 1, rank = 0;
  int64_t maxBatch = 8;
  int64_t prefillChunk = 0; // 0: as the target wants
  int64_t maxContext = 0;   // 0: the model's own, at most kDefaultContext
  std::vector<std::string> disabled;
  std::string remarks; // "table", "json" or nothing
};

inline constexpr int64_t kDefaultContext = 4096;

class Driver {
public:
  explicit Driver(const CompileOptions &options);

  /// Compiles as the options say: a bundle in options.output, or with `emit`
  /// the text of one stage on standard output.
  llvm::Error run();

private:
  llvm::Error openBackend();
  llvm::Error openModel();
  llvm::Error importModel();
  llvm::Error setLimits();
  llvm::Error readSchedules();
  llvm::Error buildPipeline();
  llvm::Error runPasses();
  void printRemarks() const;
  llvm::Error emitText();
  llvm::Error writeBundle();

  const CompileOptions &options;
  RemarkLog remarks;
  mlir::MLIRContext context;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<frontend::Checkpoint> checkpoint;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<mlir::PassManager> pipeline;
};

} // namespace moec
