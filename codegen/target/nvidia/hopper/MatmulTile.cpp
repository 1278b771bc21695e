#include "codegen/target/nvidia/hopper/MatmulTile.h"

#include "codegen/target/nvidia/hopper/KernelFrame.h"
#include "codegen/target/nvidia/hopper/StagedStore.h"
#include "codegen/target/nvidia/hopper/WeightScales.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>
#include <tuple>

using namespace moec::hopper;

static constexpr int64_t kBarrierBytes = 2048; // and alignment
// The largest values of rows, from each of the others, twice.
static int64_t getPartBytes(const MatmulTile &tile) {
  return tile.parts > 1 ? 2 * tile.rows * 4 * (tile.parts - 1) : 0;
}

// The list of groups, at most, and what the chip takes of each block.
static constexpr int64_t kOtherBytes = 4096;

int64_t MatmulTile::getScaleBytes() const {
  return llvm::alignTo(rows * 4 * kScaleBlocks + WeightScales::getBytes(columns, columnWaves), 128);
}

int64_t MatmulTile::getSharedBytes() const {
  return stages * getStageBytes() + getScaleBuffers() * getScaleBytes() + kBarrierBytes +
         getPartBytes(*this) + 4 * consumers * staged * StagedStore::kBytes + getGatheredBytes();
}

int64_t MatmulTile::getResidentBlocks() const {
  bool areTwo = 2 * (getSharedBytes() + kOtherBytes) <= KernelFrame::kMaxSharedBytes;
  return parts > 1 && consumers == 1 && areTwo ? 2 : 1;
}

bool MatmulTile::fits(int64_t others) const {
  int64_t sums = consumers == 2 ? 192 : 196;
  return rows % (64 * consumers) == 0 && rows <= 256 && columns % (8 * split) == 0 &&
         columns <= 256 && getSumRegisters() <= sums && stages >= 2 &&
         getSharedBytes() + others <= KernelFrame::kMaxSharedBytes;
}

double MatmulSize::getActiveGroups() const { return groups ? double(std::min(groups, m)) : 1; }

double MatmulSize::countRowTiles(int64_t rows) const {
  if (!groups)
    return llvm::divideCeil(m, rows);
  if (rowsPerToken == groups) // each has all tokens
    return groups * llvm::divideCeil(m / groups, rows);
  // Of random sizes: their last tiles are half full.
  double inGroup = getGroupRows() / rows;
  return getActiveGroups() * (inGroup <= 0.75 ? 1 : inGroup + 0.5);
}

static double countTiles(const MatmulTile &tile, const MatmulSize &size) {
  return size.countRowTiles(tile.rows) * llvm::divideCeil(size.n, tile.columns);
}

/// Tiles of a block, one behind the other.
static double countTurns(const MatmulTile &tile, const MatmulSize &size, int64_t workers) {
  return std::ceil(countTiles(tile, size) * tile.split / workers);
}

// What was measured on one multiprocessor and on all, microseconds a block of K (docs/performance).
static double estimateBlock(const MatmulTile &tile, double busy) {
  double x = tile.getBroughtRows() * 128.0, weight = tile.getTileColumns() * 128.0;
  double own = 0.06 + x / 146e3 + weight / 108e3; // into one multiprocessor, a round of barriers
  // Out of the second cache, for all.
  bool isSmall = tile.getTileColumns() <= 96 && tile.rows <= 128;
  double rate = isSmall ? 11e6 : tile.rows == 64 ? 9.8e6 : 8.4e6;
  double shared = (x + weight) * busy / rate;
  double products = (tile.rows / 64.0) * tile.columnWaves * (tile.columns / 128.0) * 0.205;
  return std::max({own, shared, products});
}

/// What follows is fitted to tiles of 17 to 256 rows in one range, measured apart: there the
/// weight's bytes, what a launch costs and the last tile's results count.
static bool isMeasuredApart(const MatmulSize &size) {
  return !size.groups && size.m > 16 && size.m <= 256;
}

static double estimateFewRows(const MatmulTile &tile, const MatmulSize &size, int64_t workers) {
  double columns = tile.getTileColumns();
  double tiles = countTiles(tile, size), turns = countTurns(tile, size, workers);
  double busy = std::min<double>(tiles * tile.split, workers);
  double x = tile.getBroughtRows() * 128.0, weight = columns * 128;
  double own = 0.027 + x / 142e3 + weight / 294e3, shared = (x + weight) * busy / 13e6;
  double products = 0.017 + (tile.rows / 64.0) * (columns / 128) * 0.205;
  double blocks = std::ceil(size.k / 128.0 / tile.split);
  double compute = 4.2 + turns * (0.55 + blocks * std::max({own, shared, products}));
  double m = size.m, n = size.n, k = size.k;
  double memory = 2.9 + (n * size.columnWaves * k + m * k + 0.12 * m * n) / 2.85e6;
  double sums = tile.rows * columns / 8192;
  double finish = 0.33 * sums;
  if (tile.split > 1)
    finish += 0.12 + 2 * std::max(0.0, sums - 1);
  if (tile.columns % 32) // results leave in short pieces
    finish += 0.45 * tile.rows / 64;
  return std::max(compute, memory) + finish;
}

/// Whether tiles of a group's other rows, which begin side by side, come to read its weights at
/// times of their own, unless they are drawn: after some turns, where a tile takes longer than the
/// second cache keeps what was read (20 us).
static bool driftsApart(const MatmulTile &tile, const MatmulSize &size, int64_t workers) {
  return size.groups && countTurns(tile, size, workers) > 8 &&
         size.k / 128.0 * estimateBlock(tile, workers) > 20;
}

/// How often a group's weights are read from memory.
static double countReads(const MatmulTile &tile, const MatmulSize &size, int64_t workers) {
  if (tile.tickets || !driftsApart(tile, size, workers))
    return 1;
  return std::min(2.0, size.countRowTiles(tile.rows) / size.getActiveGroups());
}

double moec::hopper::estimateCost(const MatmulTile &tile, const MatmulSize &size, int64_t workers) {
  if (isMeasuredApart(size))
    return estimateFewRows(tile, size, workers);
  double tiles = countTiles(tile, size), turns = countTurns(tile, size, workers);
  double busy = std::min<double>(tiles * tile.split, workers);
  double blocks = size.k / 128.0 / tile.split;
  double finish = size.groups ? tile.rows * tile.getTileColumns() / 16384.0 : 1;
  double compute = turns * (blocks * estimateBlock(tile, busy) + finish) + 5;
  if (size.isGathered)
    compute *= tile.rows == 64 ? 1.1 : 1.17; // threads are slower than the copy engine
  if (size.groups && tile.parts > 1) {       // one warpgroup: a block of K is a chain of waits
    double chain = 0.19 + 0.0033 * tile.getTileColumns();
    compute = std::max(compute, std::ceil(tiles / tile.workers) * blocks * chain + 8);
  }
  double weights = size.getActiveGroups() * size.n * size.columnWaves * size.k;
  double memory = (weights * countReads(tile, size, workers) + double(size.m) * size.k) / 2.85e6;
  double cost = std::max(compute, memory + 4) + (tile.split > 1 ? 2 : 0);
  if (size.groups) {
    // One tile a block: they do not end together; and what is behind memory is felt.
    cost += 0.1 * std::max(0.0, 2 - tiles / workers) * memory + 0.05 * compute;
    if (tile.columns != 128 && tile.parts == 1) // x is read more often, or columns differ in scales
      cost *= 1.015;
  }
  return cost;
}

/// Whether weights would be read again, and that would be felt.
static bool gainsByTickets(MatmulTile tile, const MatmulSize &size, int64_t workers) {
  if (tile.rows == 64 || tile.getCluster() > 1)
    return false;
  double without = estimateCost(tile, size, workers);
  tile.tickets = 1;
  return estimateCost(tile, size, workers) < without;
}

/// As many stages as fit, and buffers for stores where results may leave so.
static MatmulTile makeTile(int64_t rows, int64_t columns, int64_t split, int64_t parts,
                           const MatmulSize &size) {
  MatmulTile tile;
  tile.rows = rows, tile.columns = columns, tile.split = split, tile.parts = parts;
  tile.consumers = rows == 64 ? 1 : 2;
  tile.columnWaves = size.columnWaves;
  // Products read all rows: behind those that are brought they find the stage's weights.
  if (size.m < rows && tile.getTileColumns() >= rows)
    tile.brought = llvm::alignTo(size.m, 8);
  bool isTight = tile.getWaves() > 1;
  if (isTight && size.canStage && split == 1 && columns % StagedStore::kColumns == 0)
    tile.staged = 4;
  // Of quarters two blocks share a multiprocessor.
  tile.stages = std::min<int64_t>(parts == 4 ? 6 : 12, size.k / 128 / split);
  while (tile.stages > 2 && !tile.fits(size.getTableBytes()))
    --tile.stages;
  return tile;
}

/// How many blocks have the columns of a quantization block; 0: a tile cannot be so wide.
static int64_t countParts(int64_t rows, int64_t columns, const MatmulSize &size) {
  if (columns % size.columnMultiple == 0)
    return 1;
  // A warp's rows are told in one message. Quarters are for what memory limits.
  bool isHalf = columns == 64 && rows <= 128;
  bool isQuarter = columns == 32 && rows == 64 && size.groups;
  bool isPart = size.columnMultiple == 128 && (isHalf || isQuarter);
  return isPart ? 128 / columns : 0;
}

/// Of clusters, no more than take all tiles in the fewest turns. More would not end sooner, and
/// each would be slower; and clusters of four do not fill a chip whose multiprocessors lie in
/// groups of 14 to 18: one that finds no place comes after all others.
static int64_t countWorkers(const MatmulTile &tile, const MatmulSize &size, int64_t workers) {
  if (tile.parts == 1 || !size.groups)
    return workers;
  int64_t clusters = workers * tile.getResidentBlocks() / tile.parts;
  double tiles = size.countRowTiles(tile.rows) * llvm::divideCeil(size.n, 128);
  double turns = std::ceil(tiles / clusters);
  return std::min<int64_t>(clusters, std::ceil(tiles / turns)) * tile.parts;
}

/// Tiles that another one was faster than wherever both were measured.
static bool isBeaten(int64_t rows, int64_t columns, const MatmulSize &size, int64_t workers) {
  bool isOdd = columns == 56 || columns == 112; // results leave in short pieces
  if (!isMeasuredApart(size))
    return isOdd;
  int64_t tiles = llvm::divideCeil(size.m, rows) * llvm::divideCeil(size.n, columns);
  bool isNarrow = columns < 64 && tiles > workers;
  bool isWide = rows == 64 && columns > 112 && size.m > 64; // one warpgroup computes
  return isNarrow || isWide || (isOdd && rows > 128);
}

llvm::SmallVector<MatmulTile> moec::hopper::getMatmulTiles(const MatmulSize &size,
                                                           int64_t workers) {
  llvm::SmallVector<std::pair<double, MatmulTile>> scored;
  for (int64_t rows : {64, 128, 256})
    for (int64_t columns : {16, 32, 48, 56, 64, 96, 112, 128, 144, 160, 192})
      for (int64_t split : {1, 2, 4}) {
        int64_t parts = countParts(rows, columns, size);
        if (!parts || (parts > 1 && split > 1) || (size.interleave && size.interleave % columns))
          continue;
        if (size.groups && split > 1) // which groups there are only the device knows
          continue;
        // Each block of a cluster stores a part of the columns, and has whole boxes of scales of K.
        if (split > 1 && (columns % (split * size.columnMultiple) || size.k % 512))
          continue;
        if (isBeaten(rows, columns, size, workers))
          continue;
        if (split > 2 && columns > 64)
          continue;
        // What brings 256 rows would need more registers than producers have.
        if (size.isGathered && rows > 128)
          continue;
        // A cluster adds sums up once: only where all tiles run at the same time. Of large clusters
        // a chip does not hold as many as it has multiprocessors for.
        int64_t tiles = llvm::divideCeil(size.m, rows) * llvm::divideCeil(size.n, columns);
        int64_t room = split > 2 ? workers / 2 : workers;
        if (split > 1 && tiles * split > room)
          continue;
        MatmulTile tile = makeTile(rows, columns, split, parts, size);
        tile.workers = countWorkers(tile, size, workers);
        tile.tickets = gainsByTickets(tile, size, workers);
        if (tile.fits(size.getTableBytes()))
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
