// The named pipelines: which passes run in which order, and why.
#include "passes/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace moec::passes;

static constexpr llvm::StringLiteral kOptionalPasses[] = {
    "fuse-shared-expert",  "merge-linears",         "fuse-down-combine",     "fuse-matmul-residual",
    "fuse-residual-norm",  "fuse-rope-cache-write", "fuse-concat-rows",      "fuse-norm-quantize",
    "fuse-grouped-swiglu", "fuse-matmul-swiglu",    "interleave-gates",      "fuse-swiglu-quantize",
    "fuse-router",         "fuse-query-absorb",     "fuse-attention-output", "fuse-sibling-rows",
    "fuse-row-epilogue",   "fuse-norm-matmul"};

ArrayRef<llvm::StringLiteral> moec::passes::getOptionalPasses() { return kOptionalPasses; }

std::optional<std::string> moec::passes::refuseDisabled(ArrayRef<std::string> names) {
  for (const std::string &name : names)
    if (!llvm::is_contained(kOptionalPasses, name))
      return name + ": no optional pass has this name; there are: " +
             llvm::join(getOptionalPasses(), ", ");
  return std::nullopt;
}

static void addOptional(OpPassManager &manager, const PipelineOptions &options,
                        std::unique_ptr<Pass> pass) {
  if (!llvm::is_contained(options.disable, pass->getArgument()))
    manager.addPass(std::move(pass));
}

void moec::passes::buildMoecToKern(OpPassManager &manager, const PipelineOptions &options) {
  // What the user asked of the numbers comes first: everything later preserves it.
  if (!options.kvCache.empty())
    manager.addPass(createSetCacheType({options.kvCache}));
  // Shared experts join the routed ones while both are whole.
  addOptional(manager, options, createFuseSharedExpert());
  // Experts before quantization: the inner products' inputs appear only here.
  manager.addPass(createExpandExperts());
  manager.addPass(createQuantizeActivations({options.activations}));

  // Entries part once all that they share is done; from here on they may differ.
  SplitEntriesOptions entries;
  entries.keepMtp = options.keepMtp;
  entries.maxContext = options.maxContext;
  entries.maxSequences = options.maxBatch;
  entries.decodeBuckets.assign(options.decodeBuckets.begin(), options.decodeBuckets.end());
  entries.prefillChunk = options.prefillChunk;
  entries.prefillBuckets.assign(options.prefillBuckets.begin(), options.prefillBuckets.end());
  manager.addPass(createSplitEntries(entries));
  if (options.sampling)
    manager.addPass(createAddSampling());
  manager.addPass(createAbsorbLatent());
  manager.addPass(createAttachRopeTables({options.maxContext}));

  // Merging changes weights, so it stands between meaning and grouping, and
  // the weights it replaced go before anything counts them.
  addOptional(manager, options, createMergeLinears());
  manager.addPass(createRemoveDeadWeights());

  // Fusions, the widest first: what one takes the next no longer sees.
  addOptional(manager, options, createFuseDownCombine());
  addOptional(manager, options, createFuseMatmulResidual());
  addOptional(manager, options, createFuseResidualNorm());
  addOptional(manager, options, createFuseRopeCacheWrite());
  addOptional(manager, options, createFuseConcatRows());
  addOptional(manager, options, createFuseNormQuantize());
  addOptional(manager, options, createFuseGroupedSwiglu());
  addOptional(manager, options, createFuseMatmulSwiglu());
  // Weights follow the groups that read them.
  addOptional(manager, options, createInterleaveGates());
  addOptional(manager, options, createFuseSwigluQuantize());
  addOptional(manager, options, createFuseRouter());
  addOptional(manager, options, createFuseQueryAbsorb());
  addOptional(manager, options, createFuseAttentionOutput());
  manager.addPass(createGroupRemaining());
  // Siblings are whole groups, so they are joined once all groups are there.
  addOptional(manager, options, createFuseSiblingRows());
  // Last, because what it takes is not offered to other fusions any more.
  addOptional(manager, options, createFuseRowEpilogue());

  // Groups are final, so it is known which values stay inside a kernel and which travel.
  manager.addPass(createSetActivationType({options.activationType}));
  // A target whose products normalise does so in some types only.
  addOptional(manager, options, createFuseNormMatmul());
  // One kernel for all groups that are alike, then how to compute each.
  manager.addPass(createOutlineKernels());
  manager.addPass(createAssignSchedules());
  // Of launches that begin early, once it is known which kernel each runs.
  manager.addPass(createSettleArguments());
}

void moec::passes::buildMoecToPlan(OpPassManager &manager, const PipelineOptions &options) {
  buildMoecToKern(manager, options);
  // Last: buffers and launches.
  manager.addPass(createPlanPrograms());
}

/// As PassPipelineRegistration, which has no way to refuse the options' values.
static void registerPipeline(StringRef name, StringRef description,
                             void (*build)(OpPassManager &, const PipelineOptions &)) {
  registerPassPipeline(
      name, description,
      [build](OpPassManager &manager, StringRef text,
              llvm::function_ref<LogicalResult(const Twine &)> reportError) -> LogicalResult {
        PipelineOptions options;
        if (failed(options.parseFromString(text)))
          return failure();
        std::vector<std::string> names(options.disable.begin(), options.disable.end());
        if (std::optional<std::string> reason = refuseDisabled(names))
          return reportError("disable=" + *reason);
        build(manager, options);
        return success();
      },
      [](llvm::function_ref<void(const detail::PassOptions &)> handle) {
        handle(PipelineOptions());
      });
}

void moec::passes::registerMoecPipelines() {
  registerPipeline("moec-to-kern", "imported moe to scheduled kernels and launches",
                   buildMoecToKern);
  registerPipeline("moec-to-plan", "imported moe to programs", buildMoecToPlan);
}
