// y = x * w^T of E4M3 with f32 scales, x 1x128, w 128x128: the compute-bound form. Blocks stay and
// walk over tiles; one warpgroup brings operands, the others multiply. Rows of x may be in groups
// with a matrix of the weight each, and lie wherever a list says.
#pragma once

#include "codegen/target/nvidia/hopper/TileEpilogue.h"
#include "codegen/target/nvidia/hopper/TileOrder.h"

#include <optional>
#include <string>

namespace moec::hopper {

struct BlockScaledProblem {
  unsigned xCodes = 0, xScales = 1; // slots: E4M3 [rows, k], f32 [rows, k / 128]
  unsigned wCodes = 2, wScales = 3; // E4M3 [weightRows, k], f32 [ceil(weightRows / 128), k / 128]
  unsigned rowsDim = 1;             // kern.dim that counts the product's rows ...
  int64_t rowsMultiplier = 1;       // ... times this
  int64_t weightRows = 0, k = 0;
  int64_t columns = 0;    // of a column wave: weightRows, or half of them with gates
  unsigned counters = 0;  // slot of TileTickets' counters, where the tile has tickets
  int64_t interleave = 0; // with gates: rows of gates in turn with what they gate; 0: gates first

  std::optional<RowGroups> groups; // wCodes and wScales have as many matrices

  bool isGathered() const { return groups && groups->rows; }
  /// In one matrix of the weight.
  Int getWeightRow(const Int &column, int64_t wave) const {
    return getWaveRow(column, wave, columns, interleave);
  }
  /// Why the kernel cannot do it, or nothing.
  std::optional<std::string> refuse() const;
  Extent getRows() const { return Extent::of(rowsDim, rowsMultiplier); }
};

/// How the kernel is launched.
LaunchShape getLaunchShape(const MatmulTile &tile);

/// Writes the kernel's body.
void emitBlockScaledMatmul(KernelFrame &frame, const BlockScaledProblem &problem,
                           const MatmulTile &tile, const EpilogueSpec &epilogue);

} // namespace moec::hopper
