// Blocks that run at the same time and reach each other's shared memory.
#pragma once

#include "codegen/target/nvidia/hopper/Instructions.h"

namespace moec::hopper {

struct Cluster {
  int64_t size = 1; // blocks

  /// Bits of all blocks, for copies that go to each; 0 when there is one.
  uint16_t getAllBlocks() const { return size > 1 ? (1u << size) - 1 : 0; }
  /// All threads of all blocks meet. Of what was written before only barriers' initialisation
  /// (after fenceBarrierInit) is certain to be seen. A block also meets the others before it ends,
  /// so that none reaches into shared memory that is gone.
  void meet(Builder &b) const;
  /// One lane for each block of the cluster is done with the buffer behind `barrier`.
  void release(const Shared &barrier, const Int &lane) const;
};

} // namespace moec::hopper
