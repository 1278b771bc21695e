// Each head's columns of x times that head's rows of a weight, in bf16 or in E4M3 with a scale for
// each 128 x 128: how the latent up-projection is absorbed into query and output. A block has 64 or
// 128 columns of one head's result; its part of the weight is widened to bf16 in shared memory
// while the launch before still runs, and stays there while tokens pass.
#pragma once

#include "codegen/target/nvidia/hopper/TileEpilogue.h"

#include <optional>
#include <string>

namespace moec::hopper {

struct HeadProblem {
  unsigned x = 0, w = 1;          // slots: bf16 [rows, ...], [heads * weightRows, weightColumns]
  std::optional<unsigned> scales; // slot: f32; without, the weight is bf16
  unsigned rowsDim = 1;           // kern.dim that counts x's rows ...
  int64_t rowsMultiplier = 1;     // ... times this
  int64_t heads = 0;
  int64_t xColumns = 0, xOffset = 0, xRowBytes = 0;   // of a head; of a row
  int64_t weightRows = 0, weightOffset = 0, size = 0; // of a head; rows that are used
  int64_t weightColumns = 0;
  bool transposed = false; // inner index: the rows that are used; else the weight's columns

  int64_t getInner() const { return transposed ? size : weightColumns; }
  /// Of a head's result.
  int64_t getColumns() const { return transposed ? weightColumns : size; }
  Extent getRows() const { return Extent::of(rowsDim, rowsMultiplier); }
  /// Why the kernel cannot do it, or nothing.
  std::optional<std::string> refuse() const;
};

struct HeadTile {
  int64_t tokens = 16;  // at once, a multiple of 8
  int64_t columns = 64; // of a block: 64, or 128 for the two warpgroups to divide

  int64_t getSharedBytes(const HeadProblem &problem) const;
  bool fits(const HeadProblem &problem) const;
};

/// The tiles that fit, the best for `rows` rows of x first; at least one for what is not refused.
llvm::SmallVector<HeadTile> getHeadTiles(const HeadProblem &problem, int64_t rows);

LaunchShape getLaunchShape(const HeadTile &tile);
/// Blocks, all of them at once.
int64_t getNumBlocks(const HeadTile &tile, const HeadProblem &problem);

/// Writes the kernel's body. The epilogue's matrices have all heads' columns side by side.
void emitHeadMatmul(KernelFrame &frame, const HeadProblem &problem, const HeadTile &tile,
                    const EpilogueSpec &epilogue);

} // namespace moec::hopper
