// What a chip has of its own, and tile functions in the LLVM dialect.
#include "codegen/kernels/Team.h"
#include "codegen/target/common/Expand.h"
#include "codegen/target/common/LowerTiles.h"
#include "codegen/target/gpu/RelaxAtomics.h"
#include "codegen/target/nvidia/Lower.h"

#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace moec::codegen;

namespace {

/// What upstream's conversions do not know: the chip's own conversions, and its special registers.
struct ExpandForChip : PassWrapper<ExpandForChip, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandForChip)
  explicit ExpandForChip(const Chip &chip) : chip(chip) {}
  StringRef getArgument() const override { return "moec-expand-for-chip"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<LLVM::LLVMDialect>();
  }
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    if (chip.hasFp8)
      populateFp8Patterns(patterns);
    else
      populateExpandFloatsPatterns(patterns);
    populateBf16Patterns(patterns);
    populateApproximatePatterns(patterns);
    populateExpandMathPatterns(patterns);
    populateGpuOpsPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    if (Operation *declaration = getOperation().lookupSymbol(kSubgroupBarrier))
      declaration->erase();
  }
  const Chip &chip;
};

} // namespace

LogicalResult moec::codegen::lowerToNvptx(ModuleOp module, const Chip &chip) {
  if (failed(lowerTiles(module, std::make_unique<ExpandForChip>(chip),
                        [](PassManager &pm) { pm.addPass(createConvertNVVMToLLVMPass()); })))
    return failure();
  relaxSharedAtomics(module, chip.getMachine().workspaceSpace, "block");
  return success();
}
