// Sums of blocks of a cluster that have shared K, added up in the shared memory of the first block
// (ClusterSums), or of each for its part of them (ClusterParts), in an order that is always the
// same.
#pragma once

#include "codegen/target/nvidia/hopper/Instructions.h"

namespace moec::hopper {

struct ClusterSums {
  Shared memory, arrived; // of the first block: (blocks - 1) * bytes, and the barrier they count on
  int64_t blocks;         // of the cluster
  int64_t threads;        // of each block that hold sums
  int64_t bytes;          // of a block's sums

  /// By a thread of block `rank`, not 0; `sums` are a multiple of 4.
  void send(const Int &rank, const Int &thread, mlir::ValueRange sums) const;
  /// By a thread of block 0: its `sums` and the others'.
  Values gather(const Int &thread, mlir::ValueRange sums) const;

private:
  /// Where register quad `quad` of the sums of block `from` lies.
  Shared getQuad(const Int &from, const Int &thread, int64_t quad) const;
};

/// Every block adds up `bytes` of its own sums and of the others'.
struct ClusterParts {
  Shared memory, arrived; // of each block: (blocks - 1) * bytes, and the barrier they count on
  int64_t blocks;
  int64_t threads; // of each block that hold sums

  /// By a thread of block `rank`: parts[p], as many values as every other and a multiple of 4, go
  /// to block p; returns the sums of part `rank`.
  Values exchange(const Int &rank, const Int &thread, llvm::ArrayRef<Values> parts) const;

private:
  Shared getQuad(const Int &from, const Int &thread, int64_t quad, int64_t quads) const;
};

} // namespace moec::hopper
