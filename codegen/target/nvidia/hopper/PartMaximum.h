// The largest value of each row where the row's columns are divided among the blocks of a cluster.
// Warps that have the same rows tell each other; no block waits for another as a whole.
#pragma once

#include "codegen/target/nvidia/hopper/KernelFrame.h"

namespace moec::hopper {

class PartMaximum {
public:
  static constexpr int64_t kRows = 16; // of a warp

  /// For `warps` warps of each of `parts` blocks, a power of two.
  PartMaximum(KernelFrame &frame, int64_t warps, int64_t parts);

  /// By one thread, then fenceBarrierInit and a barrier of the cluster.
  void init() const;
  /// By all lanes: `largest[h]` (f32) is this block's for row 8h + lane / 4; returns the cluster's.
  /// `turn` counts the warp's calls from 0.
  Values exchange(const Int &warp, const Int &lane, const Int &turn,
                  mlir::ValueRange largest) const;

private:
  Builder *b;
  int64_t warps, parts;
  Shared data, barriers; // [turn % 2][warp]: [distance of the sender][row], and one barrier
};

} // namespace moec::hopper
