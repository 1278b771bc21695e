// Divides a block's warpgroups (128 threads each): the first ones compute, the last one brings
// their operands with the copy engine. Registers are given to those who need them.
#pragma once

#include "codegen/target/nvidia/hopper/Instructions.h"

namespace moec::hopper {

struct WarpRoles {
  int64_t consumers = 2;      // warpgroups that compute
  bool manyProducers = false; // all of the last warpgroup's threads bring, not the first alone
  bool byWarp = false;        // a warp of it brings, not one thread
  int64_t blocks = 1;         // that share a multiprocessor: a warpgroup more or less each
  bool producesMuch = false;  // its threads need more than a few registers

  int64_t getThreads() const { return 128 * (consumers + 1); }
  /// Warps that compute: they release the buffers of a ring.
  int64_t getConsumerWarps() const { return 4 * consumers; }

  /// `produce` runs in one thread, one warp or 128 threads, `consume(warpgroup)` in all warpgroups
  /// before.
  void split(Builder &b, llvm::function_ref<void()> produce,
             llvm::function_ref<void(Int warpgroup)> consume) const;
};

} // namespace moec::hopper
