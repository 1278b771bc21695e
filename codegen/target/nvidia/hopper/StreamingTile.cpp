#include "codegen/target/nvidia/hopper/StreamingTile.h"

#include "codegen/target/nvidia/hopper/KernelFrame.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>
#include <tuple>

using namespace moec::hopper;

int64_t StreamingTile::countScaleRows() const {
  bool aligned = 128 % rows == 0 || rows % 128 == 0;
  return (rows - 1) / 128 + (aligned ? 1 : 2);
}

int64_t StreamingTile::getSharedBytes(int64_t k, int64_t columnWaves) const {
  int64_t blocks = k / 128;
  return 16 + columnWaves * countScaleRows() * blocks * 4 + tokens * blocks * 4 +
         tokens * (k + kPadding) + kWarps * tokens * rows * columnWaves * 4 +
         buffers * getBufferBytes(columnWaves) + 512;
}

bool StreamingTile::fits(int64_t k, int64_t columnWaves) const {
  int64_t blocks = k / 128;
  return rows % (8 * rowWarps) == 0 && blocks % kWarps == 0 && (blocks / kWarps) % steps == 0 &&
         getThreads() <= 1024 &&
         minBlocks * (getSharedBytes(k, columnWaves) + 1024) <= KernelFrame::kMaxSharedBytes;
}

/// Blocks of K that a warp has, one after the other.
static int64_t countTurns(const StreamingTile &tile, const MatmulSize &size) {
  return size.k / (128 * tile.kWarps);
}

/// Registers a thread needs, roughly: sums, scales, and the weights of the turn that is computed
/// and, without buffers, of the one that is on its way.
static int64_t countRegisters(const StreamingTile &tile, const MatmulSize &size) {
  int64_t octets = tile.rows / (8 * tile.rowWarps) * size.columnWaves;
  int64_t sums = tile.tokens == 1 ? 2 : 4;
  if (tile.buffers)
    return octets * (sums + 8 + 2) + 40;
  int64_t turns = llvm::divideCeil(countTurns(tile, size), tile.steps);
  int64_t weights = 8 * tile.steps * std::min<int64_t>(turns, 2);
  int64_t count = octets * (sums + weights + 2) + (tile.tokens == 1 ? 34 : 36);
  // Longer loops over the few instructions of one token are unrolled further.
  return tile.tokens == 1 && turns > 2 ? count * 115 / 100 : count;
}

/// Registers that a thread can have: a quarter of the multiprocessor's for each of four parts,
/// which share out whole warps.
static int64_t getMostRegisters(const StreamingTile &tile) {
  int64_t warps = tile.rowWarps * tile.kWarps * tile.minBlocks;
  int64_t most = 16384 / (32 * llvm::divideCeil(warps, 4)) / 8 * 8;
  return std::min<int64_t>(most, 255);
}

/// Blocks that a multiprocessor holds at once.
static int64_t countResident(const StreamingTile &tile, const MatmulSize &size) {
  int64_t warps = tile.rowWarps * tile.kWarps;
  int64_t registers =
      llvm::alignTo(std::min(countRegisters(tile, size), getMostRegisters(tile)), 8);
  int64_t shared = tile.getSharedBytes(size.k, size.columnWaves) + 1024;
  return std::max<int64_t>(tile.minBlocks,
                           std::min({16384 / (32 * registers) * 4 / warps,
                                     KernelFrame::kMaxSharedBytes / shared, 64 / warps}));
}

/// Rows in groups, one in each: more blocks than run at once, two on a multiprocessor, so memory is
/// idle only at the beginning and where the last ones end.
static double estimateGroups(const StreamingTile &tile, const MatmulSize &size) {
  double inBlock = double(tile.rows) * size.columnWaves * size.k;
  double weights = double(size.m) * size.n * size.columnWaves * size.k;
  return 3 + weights / 2.95e6 + 0.5 * inBlock / 108e3 + 0.2 * tile.rowWarps;
}

// Microseconds, fitted to what was measured (docs/performance). One multiprocessor brings 45 GB/s;
// with 16 tokens, what the last turn computes is seen.
double moec::hopper::estimateCost(const StreamingTile &tile, const MatmulSize &size,
                                  int64_t workers) {
  if (size.groups)
    return estimateGroups(tile, size);
  double blocks = llvm::divideCeil(size.n, tile.rows), perWorker = std::ceil(blocks / workers);
  double resident = countResident(tile, size), waves = std::ceil(blocks / (workers * resident));
  double turns = std::min(2.0, double(size.k) / (128 * tile.kWarps * tile.steps));
  double rows = tile.rows * size.columnWaves;
  double inFlight = tile.buffers ? double(tile.buffers) : tile.steps * turns; // of a warp
  double flight = std::min(blocks, workers * resident) * tile.kWarps * rows * 128 * inFlight;
  double rate = 2.9e6 * std::min(1.0, std::pow(flight / 20e6, 0.05));
  double stream = double(size.n) * size.columnWaves * size.k / rate;
  double own = perWorker * rows * size.k / 42e3;
  double x = tile.tokens * size.k * (1 / 64e3 + tile.rowWarps / 180e3) * waves;
  double sums = tile.kWarps * tile.tokens * rows * 5e-7 * perWorker;
  double last = tile.tokens == 1
                    ? 0
                    : rows / 8 * tile.kWarps * tile.steps * 6e-3 * std::ceil(perWorker / waves);
  double bring = std::pow(std::pow(stream, 9) + std::pow(own, 9), 1.0 / 9);
  double shared = tile.buffers ? 0.4 : 0; // the way through shared memory
  return bring + x + sums + last + 0.63 * perWorker + 0.1 + shared;
}

/// Numbers of warps to share `blocks` blocks of K.
static llvm::ArrayRef<int64_t> getWarpsOfK(int64_t blocks) {
  static constexpr int64_t even[] = {1, 2, 4, 6, 7, 8, 12, 14, 16, 28};
  static constexpr int64_t odd[] = {1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 19, 21};
  return blocks % 4 ? llvm::ArrayRef(odd) : llvm::ArrayRef(even);
}

// A warp with fewer blocks of K has them all in registers; fewer threads are slower than memory;
// with less in flight on a multiprocessor, two blocks would not keep memory busy.
static constexpr int64_t kLeastBufferedTurns = 5, kLeastBufferedThreads = 256;
static constexpr int64_t kLeastFlight = 96 << 10;

/// Whether weights come by way of shared memory: only of one token was it measured.
static bool isBuffered(const StreamingTile &tile, const MatmulSize &size) {
  return size.groups || (tile.tokens == 1 && countTurns(tile, size) >= kLeastBufferedTurns);
}

/// As many buffers as a multiprocessor has room for.
static int64_t countBuffers(const StreamingTile &tile, const MatmulSize &size) {
  int64_t room = KernelFrame::kMaxSharedBytes / tile.minBlocks - 1024 -
                 tile.getSharedBytes(size.k, size.columnWaves);
  int64_t fit = std::max<int64_t>(0, room) / tile.getBufferBytes(size.columnWaves);
  return std::min(fit, countTurns(tile, size));
}

static bool isPossible(const StreamingTile &tile, const MatmulSize &size) {
  int64_t flight = tile.minBlocks * tile.buffers * tile.getBufferBytes(size.columnWaves);
  if (isBuffered(tile, size) &&
      (tile.steps > 1 || tile.buffers < 2 || tile.getThreads() < kLeastBufferedThreads))
    return false;
  if (size.groups && (tile.minBlocks < 2 || flight < kLeastFlight))
    return false;
  return tile.fits(size.k, size.columnWaves) && tile.getThreads() >= 128 &&
         countRegisters(tile, size) <= getMostRegisters(tile);
}

/// Whether a block may have `rows` rows of each wave.
static bool mayHave(int64_t rows, const MatmulSize &size) {
  if (size.interleave && size.interleave % rows)
    return false;
  // One warp has the block's part of a quantization block, two columns a lane.
  return size.columnMultiple <= 8 || 64 % rows == 0;
}

/// Rows in groups stream where each group has one, and a quantization follows; without, the other
/// form's copies come earlier beside the launch before.
static bool canStream(const MatmulSize &size) {
  bool quantizes = size.columnMultiple > 8;
  if (size.groups)
    return quantizes && size.m == size.rowsPerToken && size.rowsPerToken < size.groups;
  return size.m <= 16 && !quantizes;
}

llvm::SmallVector<StreamingTile> moec::hopper::getStreamingTiles(const MatmulSize &size,
                                                                 int64_t workers) {
  struct Scored {
    double cost;
    StreamingTile tile;
  };
  llvm::SmallVector<Scored> scored;
  if (!canStream(size))
    return {};
  for (int64_t rows = 16; rows <= 256; rows += 8) {
    if (!mayHave(rows, size))
      continue;
    for (int64_t rowWarps : {1, 2, 4, 8})
      for (int64_t kWarps : getWarpsOfK(size.k / 128))
        for (int64_t steps : {1, 2})
          for (int64_t minBlocks : {1, 2}) {
            StreamingTile tile{
                size.m == 1 || size.groups ? 1 : 16, rows, rowWarps, kWarps, steps, minBlocks};
            if (isBuffered(tile, size))
              tile.buffers = countBuffers(tile, size);
            if (isPossible(tile, size))
              scored.push_back({estimateCost(tile, size, workers), tile});
          }
  }
  llvm::sort(scored, [](const Scored &x, const Scored &y) {
    auto key = [](const Scored &s) {
      return std::tuple(s.cost, s.tile.rows, s.tile.kWarps, s.tile.steps, s.tile.minBlocks);
    };
    return key(x) < key(y);
  });
  llvm::SmallVector<StreamingTile> tiles;
  for (const Scored &entry : scored)
    tiles.push_back(entry.tile);
  return tiles;
}
