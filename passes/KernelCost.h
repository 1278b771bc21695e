// What ops must move and compute as one kernel, at given bounds: the roofline's two numbers.
#pragma once

#include "passes/RowAnalysis.h"

namespace moec::passes {

struct KernelCost {
  uint64_t bytes = 0;        // from and to main memory, each buffer once, cached context aside
  uint64_t contextBytes = 0; // further bytes for each cached token of each sequence
  uint64_t flops = 0;
};

/// `ops` are the ops of one block that a kernel holds, or are to become one: what they read from
/// elsewhere is its input, what others read of them its output. Weights of a table or of experts
/// count only as far as rows or slots can reach them.
KernelCost getCost(llvm::ArrayRef<mlir::Operation *> ops, const RowAnalysis &analysis,
                   kern::BoundsAttr bounds);

/// Bytes of the weight's rows that a product of heads reads: `w_size` of each head's.
uint64_t getReadBytes(moe::HeadLinearOp product);

/// Fails, with an error, where a row count cannot be told.
mlir::FailureOr<KernelCost> getKernelCost(kern::KernelOp kernel, kern::BoundsAttr bounds);

} // namespace moec::passes
