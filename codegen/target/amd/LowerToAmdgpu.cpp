// What a chip has of its own, and tile functions in the LLVM dialect.
#include "codegen/kernels/Team.h"
#include "codegen/target/amd/AmdLower.h"
#include "codegen/target/common/Expand.h"
#include "codegen/target/common/LowerTiles.h"
#include "codegen/target/gpu/RelaxAtomics.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace moec::codegen;

namespace {

/// What upstream's conversions do not know: FP8, exp without a device library, and the chip's
/// threads.
struct ExpandForAmd : PassWrapper<ExpandForAmd, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandForAmd)
  explicit ExpandForAmd(const AmdChip &chip) : chip(chip) {}
  StringRef getArgument() const override { return "moec-expand-for-amd"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<LLVM::LLVMDialect>();
  }
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    if (chip.hasOcpFp8)
      populateAmdFp8Patterns(patterns);
    else
      populateExpandFloatsPatterns(patterns);
    populateExpandMathPatterns(patterns);
    populateAmdGpuOpsPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    if (Operation *declaration = getOperation().lookupSymbol(kSubgroupBarrier))
      declaration->erase();
  }
  const AmdChip &chip;
};

} // namespace

LogicalResult moec::codegen::lowerToAmdgpu(ModuleOp module, const AmdChip &chip) {
  if (failed(lowerTiles(module, std::make_unique<ExpandForAmd>(chip))))
    return failure();
  relaxSharedAtomics(module, chip.getMachine().workspaceSpace, "workgroup");
  return success();
}
