// What the host lacks, and tile functions in the LLVM dialect.
#include "codegen/target/common/Expand.h"
#include "codegen/target/common/LowerTiles.h"
#include "codegen/target/cpu/Lower.h"

#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace {

/// Conversions and functions that the host lacks, as operations that it has.
/// bf16 is always expanded: the hardware's conversion flushes subnormals.
struct ExpandForHost : PassWrapper<ExpandForHost, OperationPass<>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandForHost)
  StringRef getArgument() const override { return "moec-expand-for-host"; }
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    moec::codegen::populateExpandFloatsPatterns(patterns);
    moec::codegen::populateExpandMathPatterns(patterns);
    arith::populateExpandBFloat16Patterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

LogicalResult moec::codegen::lowerToLLVM(ModuleOp module) {
  return lowerTiles(module, std::make_unique<ExpandForHost>());
}
