// How a compute-bound matrix product is divided: the sizes of its schedule, which of them fit the
// chip, and what they are expected to cost.
#pragma once

#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace moec::hopper {

struct MatmulTile {
  int64_t rows = 256;      // of x: 64 * row waves * consumers
  int64_t brought = 0;     // of these, the first ones that are brought: no more exist; 0: all
  int64_t columns = 128;   // of the weight in one product, a multiple of 8
  int64_t columnWaves = 1; // products side by side; 2: gates and what they gate
  int64_t consumers = 2;   // warpgroups that compute, each on its rows
  int64_t split = 1;       // blocks of a cluster that share K; each adds up a part of the columns
  int64_t parts = 1;       // blocks of a cluster that have a quantization block's columns in parts
  int64_t stages = 4;      // buffers of x and weight, 128 columns of K each
  int64_t rowGroup = 8;    // tiles that follow each other in rows: they share weights in the cache
  int64_t workers = 132;   // blocks that stay, one a multiprocessor
  int64_t tickets = 0;     // 1: which tile is a block's next one shows as they end (TileTickets.h)
  int64_t staged = 0;      // buffers a warp through which bf16 results leave; 0: from registers

  /// Blocks of K whose scales come together.
  static constexpr int64_t kScaleBlocks = 4;

  int64_t getRowWaves() const { return rows / (64 * consumers); }
  int64_t getWaves() const { return getRowWaves() * columnWaves; }
  int64_t getCluster() const { return split * parts; }
  int64_t getTileColumns() const { return columns * columnWaves; }
  int64_t getBroughtRows() const { return brought ? brought : rows; }
  int64_t getStageBytes() const { return (getBroughtRows() + getTileColumns()) * 128; }
  /// Scales come as early as operands do.
  int64_t getScaleBuffers() const { return (stages + kScaleBlocks - 1) / kScaleBlocks + 1; }
  int64_t getScaleBytes() const;
  /// Sums that come from the other blocks of a divided K.
  int64_t getGatheredBytes() const { return (split - 1) * rows * (getTileColumns() / split) * 4; }
  int64_t getSharedBytes() const;
  /// That a multiprocessor has room for. A block with one warpgroup that computes waits for each
  /// product before it adds it up: two of them fill each other's gaps.
  int64_t getResidentBlocks() const;
  /// Sums that stay over all of K and those of the product under way, a thread.
  int64_t getSumRegisters() const { return (getWaves() + 1) * columns / 2; }
  /// `others`: bytes of shared memory that are not the tile's.
  bool fits(int64_t others = 0) const;
};

/// Sizes of a product as far as its cost goes.
struct MatmulSize {
  int64_t m, n, k; // n: columns of one wave
  int64_t columnWaves = 1;
  int64_t columnMultiple = 8; // of a wave's columns: 128 when a tile quantizes
  bool canStage = false;      // the only result is bf16
  int64_t interleave = 0;     // runs of weight rows that a wave's columns must not cross; 0: none
  int64_t groups = 0;         // m rows in so many groups, a matrix of the weight each; 0: one range
  bool isGathered = false;    // threads bring x
  int64_t rowsPerToken = 0;   // with groups: a token has rows in so many of them; 0: nobody says
  bool normalises = false;    // x's rows, by every tile

  /// Groups that have rows, about, and how many each has.
  double getActiveGroups() const;
  double getGroupRows() const { return double(m) / getActiveGroups(); }
  /// Tiles of `rows` rows, about.
  double countRowTiles(int64_t rows) const;
  /// Bytes of shared memory that the list of groups takes.
  int64_t getTableBytes() const { return groups ? groups * 8 + 16 : 0; }
};

/// Expected microseconds on `workers` multiprocessors.
double estimateCost(const MatmulTile &tile, const MatmulSize &size, int64_t workers);

/// The tiles that fit, the cheapest first.
llvm::SmallVector<MatmulTile> getMatmulTiles(const MatmulSize &size, int64_t workers);

} // namespace moec::hopper
