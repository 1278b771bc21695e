// y = x * w^T in bf16 for few tokens: the bandwidth-bound form. The weight's rows are the 64 rows
// of a warpgroup's product, tokens its columns (8 at least), so that a block needs few registers
// and much of the weight can be on its way. Weights are asked for before the launch before has
// ended. Tokens may be in groups with a matrix of the weight each, and lie wherever a list says:
// then it is the launch before that knows which weights.
#pragma once

#include "codegen/target/nvidia/hopper/DenseProblem.h"

namespace moec::hopper {

struct DenseRingTile {
  int64_t tokens = 8;    // of a tile, a multiple of 8
  int64_t rows = 64;     // of the weight, of each wave: 64 * row waves * consumers
  int64_t consumers = 1; // warpgroups that compute, each on its rows
  int64_t split = 1;     // blocks of a cluster that share K; the first one adds the sums
  int64_t boxes = 2;     // of 64 columns of K in a buffer
  int64_t stages = 3;    // buffers
  int64_t blocks = 2;    // that stay on one multiprocessor
  int64_t workers = 132; // multiprocessors

  int64_t getRowWaves() const { return rows / (64 * consumers); }
  int64_t getStageBytes(int64_t columnWaves) const {
    return boxes * (rows * columnWaves + tokens) * 128;
  }
  /// f32 sums of a thread.
  int64_t getSums(int64_t columnWaves) const { return getRowWaves() * columnWaves * tokens / 2; }
  int64_t getSharedBytes(int64_t columnWaves) const;
  bool fits(const MatmulSize &size) const;
};

/// Expected microseconds on `workers` multiprocessors.
double estimateCost(const DenseRingTile &tile, const MatmulSize &size, int64_t workers);
/// The tiles that fit, the cheapest first; none when the kernel cannot do it.
llvm::SmallVector<DenseRingTile> getDenseRingTiles(const MatmulSize &size, int64_t workers);

LaunchShape getLaunchShape(const DenseRingTile &tile);

/// Writes the kernel's body. A launch has split * ceil(columns / rows) * ceil(tokens / tile.tokens)
/// blocks, or as many as the shape says; groups divide the tokens, not K. Nothing is quantized.
void emitDenseRing(KernelFrame &frame, const DenseProblem &problem, const DenseRingTile &tile,
                   const EpilogueSpec &epilogue);

} // namespace moec::hopper
