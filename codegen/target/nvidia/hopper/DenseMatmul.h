// y = x * w^T in bf16 for many tokens. Blocks stay and walk over tiles; one warpgroup brings
// operands, the others multiply, each the rows of x that it owns. Rows of x may be in groups with a
// matrix of the weight each, and lie wherever a list says.
#pragma once

#include "codegen/target/nvidia/hopper/DenseProblem.h"

namespace moec::hopper {

struct DenseTile {
  int64_t rows = 128;      // of x: 64 * row waves * consumers
  int64_t columns = 256;   // of the weight in one product, a multiple of 8
  int64_t columnWaves = 1; // products side by side; 2: gates and what they gate
  int64_t consumers = 2;   // warpgroups that compute, each on its rows
  int64_t stages = 4;      // buffers of x and weight, 64 columns of K each
  int64_t staged = 0;      // buffers a warp through which bf16 results leave; 0: from registers
  int64_t workers = 132;   // blocks that stay, one a multiprocessor

  int64_t getTileColumns() const { return columns * columnWaves; }
  int64_t getStageBytes() const { return (rows + getTileColumns()) * 128; }
  int64_t getSharedBytes() const;
  /// `others`: bytes of shared memory that are not the tile's.
  bool fits(int64_t others = 0) const;
  /// The shape of its fragments, as the epilogue has it.
  MatmulTile getShape() const;
};

/// Expected microseconds on `workers` multiprocessors.
double estimateCost(const DenseTile &tile, const MatmulSize &size, int64_t workers);
/// The tiles that fit, the cheapest first.
llvm::SmallVector<DenseTile> getDenseTiles(const MatmulSize &size, int64_t workers);

LaunchShape getLaunchShape(const DenseTile &tile);

/// Writes the kernel's body.
void emitDenseMatmul(KernelFrame &frame, const DenseProblem &problem, const DenseTile &tile,
                     const EpilogueSpec &epilogue);

} // namespace moec::hopper
