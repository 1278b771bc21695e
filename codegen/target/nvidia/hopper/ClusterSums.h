// Sums of blocks of a cluster that have shared K: all but the first send theirs into its shared
// memory, and it adds them up in the blocks' order.
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

} // namespace moec::hopper
