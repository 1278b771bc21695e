// The passes between the dialects and the named pipelines. Passes.td is the catalogue.
#pragma once

#include "dialects/plan/PlanDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassOptions.h"

namespace moec::passes {

#define GEN_PASS_DECL
#include "passes/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

/// Options of the pipelines. Each is handed to the passes it is named after.
struct PipelineOptions : mlir::PassPipelineOptions<PipelineOptions> {
  Option<std::string> activations{
      *this, "activations",
      llvm::cl::desc("quantized, exact or from-contract: what linears with FP8 block weights read"),
      llvm::cl::init("from-contract")};
  Option<std::string> kvCache{
      *this, "kv-cache",
      llvm::cl::desc("element type of the caches, f32 or bf16; empty keeps the imported one"),
      llvm::cl::init("")};
  Option<std::string> activationType{
      *this, "activation-type",
      llvm::cl::desc("element type of what kernels hand on to each other, f32 or bf16; empty: as "
                     "the target keeps it"),
      llvm::cl::init("")};
  Option<bool> sampling{*this, "sampling",
                        llvm::cl::desc("add an entry that chooses tokens (add-sampling)"),
                        llvm::cl::init(false)};
  Option<bool> keepMtp{*this, "keep-mtp", llvm::cl::desc("keep @mtp beside the entries"),
                       llvm::cl::init(false)};
  Option<int64_t> maxContext{
      *this, "max-context",
      llvm::cl::desc("positions of the rope tables; 0 takes the module's moe.max_context"),
      llvm::cl::init(0)};
  Option<int64_t> maxBatch{*this, "max-batch", llvm::cl::desc("most sequences that run at once"),
                           llvm::cl::init(16)};
  ListOption<int64_t> decodeBuckets{
      *this, "decode-buckets",
      llvm::cl::desc("token buckets of decode; empty: 1, 2, 4, .. max-batch")};
  Option<int64_t> prefillChunk{
      *this, "prefill-chunk",
      llvm::cl::desc("most tokens of a prompt in one step; 0: as the target wants"),
      llvm::cl::init(0)};
  ListOption<int64_t> prefillBuckets{
      *this, "prefill-buckets",
      llvm::cl::desc("token buckets of prefill, bounded by max-context; empty: 16, 64, 256, .. "
                     "prefill-chunk")};
  ListOption<std::string> disable{
      *this, "disable",
      llvm::cl::desc("optional passes to leave out, e.g. fuse-router,merge-linears")};
};

/// moe, as imported, to scheduled kernels and launches (`moec-to-kern`).
void buildMoecToKern(mlir::OpPassManager &manager, const PipelineOptions &options);

/// The whole way to programs (`moec-to-plan`).
void buildMoecToPlan(mlir::OpPassManager &manager, const PipelineOptions &options);

/// Names that `disable` takes, in pipeline order.
llvm::ArrayRef<llvm::StringLiteral> getOptionalPasses();

/// Why `names` cannot be disabled ("fuse-x: no optional pass ..."), or nothing when they can.
std::optional<std::string> refuseDisabled(llvm::ArrayRef<std::string> names);

/// Registers both pipelines by name; they refuse names that cannot be disabled.
/// `registerMoecPasses()` does it for the passes.
void registerMoecPipelines();

/// Attribute of an entry: the imported function that it comes from.
inline constexpr llvm::StringLiteral kEntryOfAttr = "moe.entry_of";
/// Attributes of an entry function: the entry's name ("decode"), and the token bucket.
inline constexpr llvm::StringLiteral kEntryAttr = "moe.entry";
inline constexpr llvm::StringLiteral kBoundsAttr = "kern.bounds";
/// Attribute of a function argument: its role ("token_ids", "cache", ...).
inline constexpr llvm::StringLiteral kInputAttr = "moe.input";
/// Attributes of the module: the numerics contract and the longest context.
inline constexpr llvm::StringLiteral kNumericsAttr = "moe.numerics";
inline constexpr llvm::StringLiteral kMaxContextAttr = "moe.max_context";

} // namespace moec::passes
