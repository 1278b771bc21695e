// How the bandwidth-bound FP8 product is divided: the sizes of its schedule, which of them fit the
// chip, and what they are expected to cost.
#pragma once

#include "codegen/target/nvidia/hopper/MatmulTile.h"

namespace moec::hopper {

struct StreamingTile {
  int64_t tokens = 16; // at most: 1 or 16
  int64_t rows = 16; // of the weight a block owns, of each column wave; a multiple of 8 * rowWarps
  int64_t rowWarps = 1; // warps side by side in these rows
  int64_t kWarps = 8;   // warps that share K, their sums meet in shared memory
  int64_t steps = 1;    // blocks of K a warp has in flight
  int64_t minBlocks = 1;
  // Blocks of K that a warp has on their way to shared memory, each thread its own 16 bytes; 0: to
  // registers. The way to registers is through the first cache, which is small where a launch
  // before needed much shared memory and this one began early.
  int64_t buffers = 0;
  int64_t parts = 1; // blocks of a cluster that have a quantization block's columns in parts

  int64_t getThreads() const { return 32 * rowWarps * kWarps; }
  /// Of a block of K of all warps.
  int64_t getBufferBytes(int64_t columnWaves) const { return kWarps * rows * columnWaves * 128; }
  int64_t getSharedBytes(int64_t k, int64_t columnWaves) const;
  bool fits(int64_t k, int64_t columnWaves) const;
  /// Rows of scales that the block's weight rows, beginning at a multiple of them, touch.
  int64_t countScaleRows() const;

  /// Rows of x in shared memory are this much longer than K, so that 8 rows fall into different
  /// banks.
  static constexpr int64_t kPadding = 64;
};

/// Expected microseconds.
double estimateCost(const StreamingTile &tile, const MatmulSize &size, int64_t workers);
/// The tiles that fit, the cheapest first; none when the kernel cannot do it.
llvm::SmallVector<StreamingTile> getStreamingTiles(const MatmulSize &size, int64_t workers);

} // namespace moec::hopper
