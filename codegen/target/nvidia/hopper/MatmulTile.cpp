#include "codegen/target/nvidia/hopper/MatmulTile.h"

#include "codegen/target/nvidia/hopper/KernelFrame.h"
#include "codegen/target/nvidia/hopper/StagedStore.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>
#include <tuple>

using namespace moec::hopper;

// Barriers and alignment, and the ring of x's scales: two buffers of 4 blocks.
static int64_t getSideBytes(int64_t rows) { return 2 * 16 * rows + 2048; }

int64_t MatmulTile::getSharedBytes() const {
  return stages * getStageBytes() + getSideBytes(rows) +
         4 * consumers * staged * StagedStore::kBytes + (split - 1) * rows * getTileColumns() * 4;
}

bool MatmulTile::fits() const {
  int64_t sums = consumers == 2 ? 192 : 196;
  return rows % (64 * consumers) == 0 && rows <= 256 && columns % 8 == 0 && columns <= 256 &&
         getSumRegisters() <= sums && stages >= 2 &&
         getSharedBytes() <= KernelFrame::kMaxSharedBytes;
}

// What was measured on one multiprocessor and on all, microseconds a block of K (docs/performance).
static double estimateBlock(const MatmulTile &tile, double busy) {
  double bytes = tile.getStageBytes();
  double own = 0.047 + bytes / 112e3; // into one multiprocessor, and a round of barriers
  // Out of the second cache; few rows of x, which all tiles read, come a little faster.
  double shared = bytes * busy / (tile.rows == 64 ? 9.8e6 : 8.4e6);
  double products = (tile.rows / 64.0) * tile.columnWaves * (tile.columns / 128.0) * 0.205;
  return std::max({own, shared, products});
}

double moec::hopper::estimateCost(const MatmulTile &tile, const MatmulSize &size, int64_t workers) {
  double tiles = static_cast<double>(llvm::divideCeil(size.m, tile.rows)) *
                 llvm::divideCeil(size.n, tile.columns);
  double turns = std::ceil(tiles * tile.split / workers);
  double busy = std::min<double>(tiles * tile.split, workers);
  double blocks = size.k / 128.0 / tile.split;
  double compute = turns * (blocks * estimateBlock(tile, busy) + 1);
  double weights = double(size.n) * size.columnWaves * size.k;
  double memory = (weights + double(size.m) * size.k) / 2.85e6;
  return std::max(compute, memory) + 2.5 + (tile.split > 1 ? 2 : 0);
}

/// As many stages as fit, and buffers for stores where results may leave so.
static MatmulTile makeTile(int64_t rows, int64_t columns, int64_t split, const MatmulSize &size) {
  MatmulTile tile;
  tile.rows = rows, tile.columns = columns, tile.split = split;
  tile.consumers = rows == 64 ? 1 : 2;
  tile.columnWaves = size.columnWaves;
  bool isTight = tile.getWaves() > 1;
  if (isTight && size.canStage && columns % StagedStore::kColumns == 0)
    tile.staged = 4;
  tile.stages = std::min<int64_t>(12, size.k / 128 / split);
  while (tile.stages > 2 && !tile.fits())
    --tile.stages;
  // With four, each of the loop's four turns has a stage of its own, whose addresses the compiler
  // keeps in registers: they spill.
  if (isTight && tile.stages == 4)
    tile.stages = 3;
  return tile;
}

llvm::SmallVector<MatmulTile> moec::hopper::getMatmulTiles(const MatmulSize &size,
                                                           int64_t workers) {
  llvm::SmallVector<std::pair<double, MatmulTile>> scored;
  for (int64_t rows : {64, 128, 256})
    for (int64_t columns : {16, 32, 48, 64, 96, 128, 144, 160, 192})
      for (int64_t split : {1, 2, 4, 7, 8}) {
        if (columns % size.columnMultiple || (size.interleave && size.interleave % columns))
          continue;
        // A cluster gathers sums once: only where all tiles run at the same time.
        int64_t tiles = llvm::divideCeil(size.m, rows) * llvm::divideCeil(size.n, columns);
        if (split > 1 && ((size.k / 128) % (4 * split) || tiles * split > workers || rows > 64))
          continue;
        MatmulTile tile = makeTile(rows, columns, split, size);
        if (tile.fits())
          scored.push_back({estimateCost(tile, size, workers), tile});
      }
  // Among equals the smaller tile.
  llvm::sort(scored, [](const auto &x, const auto &y) {
    auto key = [](const auto &entry) {
      return std::tuple(entry.first, entry.second.rows, entry.second.columns, entry.second.split);
    };
    return key(x) < key(y);
  });
  llvm::SmallVector<MatmulTile> tiles;
  for (auto &entry : scored)
    tiles.push_back(entry.second);
  return tiles;
}
