// y = x * w^T of E4M3 with f32 scales for few tokens (16 at most): the bandwidth-bound form. Each
// weight is read once, straight into registers, by the block that owns its rows; no block waits for
// another.
#pragma once

#include "codegen/target/nvidia/hopper/BlockScaledMatmul.h"

namespace moec::hopper {

struct StreamingTile {
  int64_t tokens = 16; // at most: 1 or 16
  int64_t rows = 16; // of the weight a block owns, of each column wave; a multiple of 8 * rowWarps
  int64_t rowWarps = 1; // warps side by side in these rows
  int64_t kWarps = 8;   // warps that share K, their sums meet in shared memory
  int64_t steps = 1;    // blocks of K a warp has in flight
  int64_t minBlocks = 1;

  int64_t getThreads() const { return 32 * rowWarps * kWarps; }
  int64_t getSharedBytes(int64_t k, int64_t columnWaves) const;
  bool fits(int64_t k, int64_t columnWaves) const;
};

/// Expected microseconds.
double estimateCost(const StreamingTile &tile, const MatmulSize &size, int64_t workers);
/// The tiles that fit, the cheapest first; none when the kernel cannot do it.
llvm::SmallVector<StreamingTile> getStreamingTiles(const MatmulSize &size, int64_t workers);

LaunchShape getLaunchShape(const StreamingTile &tile);
/// Blocks, all of them at once: ceil(columns / rows).
int64_t getNumBlocks(const StreamingTile &tile, const BlockScaledProblem &problem);

void emitStreamingMatmul(KernelFrame &frame, const BlockScaledProblem &problem,
                         const StreamingTile &tile, const EpilogueSpec &epilogue);

} // namespace moec::hopper
