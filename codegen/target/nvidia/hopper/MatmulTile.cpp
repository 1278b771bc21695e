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
static int64_t getSideBytes(int64_t rows) { return 2 * 16 * rows + 1024; }

int64_t MatmulTile::getSharedBytes() const {
  return stages * getStageBytes() + getSideBytes(rows) +
         4 * consumers * staged * StagedStore::kBytes +
         (kGroups - 1 + split - 1) * rows * getTileColumns() * 4;
}

bool MatmulTile::fits() const {
  int64_t sums = consumers == 2 ? 192 : 196;
  return rows * kGroups % (64 * consumers) == 0 && consumers % kGroups == 0 && rows <= 256 &&
         columns % 8 == 0 && columns <= 256 && getSumRegisters() <= sums && stages >= 2 &&
         getSharedBytes() <= KernelFrame::kMaxSharedBytes;
}

// A multiprocessor's share: products at 128 * 8192 sums of 4 byte products a cycle at most,
// about 1.6 GHz under load; 3 TB/s of memory and 5.5 TB/s of second cache are divided among all.
double moec::hopper::estimateCost(const MatmulTile &tile, const MatmulSize &size, int64_t workers) {
  double tilesM = llvm::divideCeil(size.m, tile.rows);
  double tilesN = llvm::divideCeil(size.n, tile.columns);
  double tiles = tilesM * tilesN, turns = std::ceil(tiles / workers);
  double busy = std::min<double>(tiles, workers);
  double blocks = size.k / 128.0;
  // Narrow products don't fill the tensor cores: 64 rows of x are read for each.
  double width = std::max<double>(tile.getTileColumns(), 64 * tile.columnWaves);
  double products =
      blocks * tile.rows * width * 128 / (4096.0 * 1600) * 1.12; // us; a wave's promotion shows
  double cacheBytes = blocks * tile.getStageBytes();
  double cache = cacheBytes * busy / 5.5e6;
  double memory = (double(size.n) * size.columnWaves * size.k + double(size.m) * size.k) / 3.0e6;
  double epilogue = 0.6 + tile.rows * tile.getTileColumns() * 2e-5;
  double overlap = turns > 1 ? 0.5 : 1;
  return std::max(turns * std::max(products, cache), memory) + turns * epilogue * overlap + 1.5;
}

llvm::SmallVector<MatmulTile> moec::hopper::getMatmulTiles(const MatmulSize &size,
                                                           int64_t workers) {
  llvm::SmallVector<std::pair<double, MatmulTile>> scored;
  for (int64_t rows : {64, 128, 256})
    for (int64_t kGroups : {1, 2})
      for (int64_t columns = 16; columns <= 256; columns += 8) {
        int64_t consumers = rows == 64 ? kGroups : 2;
        if (columns % size.columnMultiple || (kGroups > 1 && rows > 64))
          continue;
        if ((columns > 64 && columns % 16) || (size.interleave && size.interleave % columns))
          continue;
        MatmulTile tile;
        tile.rows = rows, tile.columns = columns;
        tile.consumers = consumers, tile.kGroups = kGroups;
        tile.columnWaves = size.columnWaves;
        for (tile.stages = std::min<int64_t>(12, size.k / 128); tile.stages > 2 && !tile.fits();)
          --tile.stages;
        if (tile.fits())
          scored.push_back({estimateCost(tile, size, workers), tile});
      }
  // Among equals the smaller tile.
  llvm::sort(scored, [](const auto &x, const auto &y) {
    auto key = [](const auto &entry) {
      return std::tuple(entry.first, entry.second.rows, entry.second.columns,
                        entry.second.consumers);
    };
    return key(x) < key(y);
  });
  llvm::SmallVector<MatmulTile> tiles;
  for (auto &entry : scored)
    tiles.push_back(entry.second);
  return tiles;
}
