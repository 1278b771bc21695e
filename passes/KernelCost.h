// What a kernel must move and compute at given sizes: the roofline's two numbers.
#pragma once

#include "dialects/kern/KernDialect.h"

namespace moec::passes {

/// Run-time sizes at which a cost is asked, and the length of the attended context.
struct Bounds {
  uint64_t tokens = 1, sequences = 1, outputRows = 1;
  uint64_t context = 1; // cached tokens of a sequence

  /// Indexed by kern::Dim.
  std::array<uint64_t, 4> getSizes() const { return {1, tokens, sequences, outputRows}; }
};

struct KernelCost {
  uint64_t bytes = 0;        // from and to main memory, each buffer once, cached context aside
  uint64_t contextBytes = 0; // further bytes for each cached token of each sequence
  uint64_t flops = 0;
};

/// Weights of a table or of experts count only as far as rows or slots can reach them.
mlir::FailureOr<KernelCost> getKernelCost(kern::KernelOp kernel, const Bounds &bounds);

} // namespace moec::passes
