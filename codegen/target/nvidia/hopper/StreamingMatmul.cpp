// Tokens are the 16 rows of m16n8k32, weight rows its 8 columns. The order of K inside a block is
// free as long as both operands agree: a lane reads 16 bytes side by side of either, and nothing is
// ever shuffled.
#include "codegen/target/nvidia/hopper/StreamingMatmul.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <tuple>

using namespace moec::hopper;

// Rows of x in shared memory are this much longer than K, so that 8 rows fall into different banks.
static constexpr int64_t kPadding = 64;

/// Rows of scales that `rows` weight rows, beginning at a multiple of it, touch.
static int64_t countScaleRows(int64_t rows) {
  bool aligned = 128 % rows == 0 || rows % 128 == 0;
  return (rows - 1) / 128 + (aligned ? 1 : 2);
}

int64_t StreamingTile::getSharedBytes(int64_t k, int64_t columnWaves) const {
  int64_t blocks = k / 128;
  return 16 + columnWaves * countScaleRows(rows) * blocks * 4 + tokens * blocks * 4 +
         tokens * (k + kPadding) + kWarps * tokens * rows * columnWaves * 4 + 256;
}

bool StreamingTile::fits(int64_t k, int64_t columnWaves) const {
  int64_t blocks = k / 128;
  return rows % (8 * rowWarps) == 0 && blocks % kWarps == 0 && (blocks / kWarps) % steps == 0 &&
         getThreads() <= 1024 &&
         minBlocks * (getSharedBytes(k, columnWaves) + 1024) <= KernelFrame::kMaxSharedBytes;
}

LaunchShape moec::hopper::getLaunchShape(const StreamingTile &tile) {
  LaunchShape shape;
  shape.threads = tile.getThreads();
  shape.minBlocks = tile.minBlocks;
  return shape;
}

int64_t moec::hopper::getNumBlocks(const StreamingTile &tile, const BlockScaledProblem &problem) {
  return llvm::divideCeil(problem.columns, tile.rows);
}

/// Registers a thread needs, roughly: sums, scales, and the weights of the turn that is computed
/// and of the one that is on its way.
static int64_t countRegisters(const StreamingTile &tile, const MatmulSize &size) {
  int64_t groups = tile.rows / (8 * tile.rowWarps) * size.columnWaves;
  int64_t sums = tile.tokens == 1 ? 2 : 4;
  int64_t turns = llvm::divideCeil(size.k, 128 * tile.kWarps * tile.steps);
  int64_t weights = 8 * tile.steps * std::min<int64_t>(turns, 2);
  int64_t count = groups * (sums + weights + 2) + (tile.tokens == 1 ? 34 : 36);
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

// Microseconds, fitted to what was measured (docs/performance). One multiprocessor brings 45 GB/s;
// with 16 tokens, what the last turn computes is seen.
double moec::hopper::estimateCost(const StreamingTile &tile, const MatmulSize &size,
                                  int64_t workers) {
  double blocks = llvm::divideCeil(size.n, tile.rows), perWorker = std::ceil(blocks / workers);
  double resident = countResident(tile, size), waves = std::ceil(blocks / (workers * resident));
  double turns = std::min(2.0, double(size.k) / (128 * tile.kWarps * tile.steps));
  double rows = tile.rows * size.columnWaves;
  double flight =
      std::min(blocks, workers * resident) * tile.kWarps * rows * 128 * tile.steps * turns;
  double rate = 2.9e6 * std::min(1.0, std::pow(flight / 20e6, 0.05));
  double stream = double(size.n) * size.columnWaves * size.k / rate;
  double own = perWorker * rows * size.k / 42e3;
  double x = tile.tokens * size.k * (1 / 64e3 + tile.rowWarps / 180e3) * waves;
  double sums = tile.kWarps * tile.tokens * rows * 5e-7 * perWorker;
  double last = tile.tokens == 1
                    ? 0
                    : rows / 8 * tile.kWarps * tile.steps * 6e-3 * std::ceil(perWorker / waves);
  double bring = std::pow(std::pow(stream, 9) + std::pow(own, 9), 1.0 / 9);
  return bring + x + sums + last + 0.63 * perWorker + 0.1;
}

/// Numbers of warps to share `blocks` blocks of K.
static llvm::ArrayRef<int64_t> getWarpsOfK(int64_t blocks) {
  static constexpr int64_t even[] = {1, 2, 4, 6, 7, 8, 12, 14, 16, 28};
  static constexpr int64_t odd[] = {1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 19, 21};
  return blocks % 4 ? llvm::ArrayRef(odd) : llvm::ArrayRef(even);
}

llvm::SmallVector<StreamingTile> moec::hopper::getStreamingTiles(const MatmulSize &size,
                                                                 int64_t workers) {
  struct Scored {
    double cost;
    StreamingTile tile;
  };
  llvm::SmallVector<Scored> scored;
  if (size.m > 16 || size.columnMultiple > 8 || size.groups)
    return {};
  for (int64_t rows = 16; rows <= 256; rows += 8) {
    if (size.interleave && size.interleave % rows)
      continue;
    for (int64_t rowWarps : {1, 2, 4, 8})
      for (int64_t kWarps : getWarpsOfK(size.k / 128))
        for (int64_t steps : {1, 2})
          for (int64_t minBlocks : {1, 2}) {
            StreamingTile tile{size.m == 1 ? 1 : 16, rows, rowWarps, kWarps, steps, minBlocks};
            if (!tile.fits(size.k, size.columnWaves) || tile.getThreads() < 128 ||
                countRegisters(tile, size) > getMostRegisters(tile))
              continue;
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

namespace {

class Kernel {
public:
  Kernel(KernelFrame &frame, const BlockScaledProblem &problem, const StreamingTile &tile,
         const EpilogueSpec &spec)
      : frame(frame), b(frame.b), problem(problem), tile(tile), spec(spec),
        epilogue(frame, spec, MatmulTile(), problem.getRows()), blocks(problem.k / 128),
        waves(spec.gated ? 2 : 1), warpRows(tile.rows / tile.rowWarps),
        groups(waves * warpRows / 8), turns(blocks / tile.kWarps),
        scaleRows(countScaleRows(tile.rows)) {}

  void emit();

private:
  using Slot = llvm::SmallVector<Values>; // a block of K: [group][half] four registers

  void allocate();
  void findPlace();
  void bring();
  void bringRow(const Int &row);
  void copyScales();
  void forScaleRows(llvm::function_ref<void(const Shared &, const Global &)> body) const;
  /// Whether rows of scales begin on 16 bytes, as copies in bulk need it.
  bool bringsScales() const { return blocks % 4 == 0; }

  Slot loadWeights(const Int &turn) const;
  Values multiply(const Int &turn, const Slot &weights, mlir::ValueRange sums) const;
  Values loadScales(const Int &turn) const;
  Values getScale(mlir::ValueRange loaded, int64_t group) const;
  Values runTurns();

  void keepSums(mlir::ValueRange sums) const;
  void finishColumns() const;

  int64_t sumsPerGroup() const { return tile.tokens == 1 ? 2 : 4; }
  Int getWeightRow(const Int &column, int64_t wave) const;

  KernelFrame &frame;
  Builder &b;
  const BlockScaledProblem &problem;
  StreamingTile tile;
  EpilogueSpec spec;
  TileEpilogue epilogue;
  int64_t blocks;    // of K
  int64_t waves;     // 2: gates and what they gate
  int64_t warpRows;  // weight rows of a warp, of each wave
  int64_t groups;    // of 8 weight rows, of a warp
  int64_t turns;     // blocks of K of a warp
  int64_t scaleRows; // of the weight, of each wave

  Shared barrier, weightScales, scales, x, partial;
  Int thread, lane, row, quad; // the lane's row of both operands, and its 16 bytes of each 64
  Int rowWarp, kWarp;
  Int column; // the block's first
  Int tokens;
  llvm::SmallVector<Int> firstRows; // the block's first weight row, of each wave
};

} // namespace

void Kernel::emit() {
  bool early = frame.getShape().earlyLaunch;
  if (early)
    launchDependents(b);
  allocate();
  findPlace();
  ifThen(thread == 0, [&] {
    initBarrier(barrier, 1);
    fenceBarrierInit(b);
  });
  syncWarp(b); // the instruction is one of the warp, what follows one of the thread
  if (!early)  // otherwise they would queue behind the weights
    bring();
  Values sums = runTurns();
  keepSums(sums);
  syncBlock(b);
  if (early) // the kernel before may still read what this one writes
    waitDependencies(b);
  finishColumns();
}

void Kernel::allocate() {
  barrier = frame.allocate(8, 16);
  weightScales = frame.allocate(waves * scaleRows * blocks * 4, 16);
  scales = frame.allocate(tile.tokens * blocks * 4, 16);
  x = frame.allocate(tile.tokens * (problem.k + kPadding), 128);
  partial = frame.allocate(tile.kWarps * tile.tokens * waves * tile.rows * 4, 16);
}

void Kernel::findPlace() {
  thread = getThread(b);
  lane = thread & 31;
  row = lane >> 2, quad = lane & 3;
  Int warp = broadcast(thread >> 5, 0);
  rowWarp = warp % tile.rowWarps, kWarp = warp / tile.rowWarps;
  column = getBlock(b) * tile.rows;
  for (int64_t wave = 0; wave < waves; ++wave)
    firstRows.push_back(getWeightRow(column, wave));
}

Int Kernel::getWeightRow(const Int &at, int64_t wave) const {
  if (problem.interleave)
    return (at / problem.interleave) * (waves * problem.interleave) + at % problem.interleave +
           wave * problem.interleave;
  return at + wave * problem.columns;
}

//===----------------------------------------------------------------------===//
// What is not streamed: x and all scales, by one thread
//===----------------------------------------------------------------------===//

void Kernel::bring() {
  tokens = frame.getDim(problem.rowsDim) * problem.rowsMultiplier;
  if (tile.tokens == 1)
    tokens = Int(b, 1);
  ifThen(thread == 0, [&] {
    int64_t weightBytes = bringsScales() ? waves * scaleRows * blocks * 4 : 0;
    arriveExpecting(barrier,
                    tokens * (problem.k + (bringsScales() ? blocks * 4 : 0)) + weightBytes);
    if (bringsScales())
      forScaleRows([&](const Shared &to, const Global &from) {
        copyBulk(to, from, Int(b, blocks * 4), barrier);
      });
    if (frame.getShape().earlyLaunch)
      waitDependencies(b);
    if (tile.tokens == 1)
      bringRow(Int(b, 0));
    else
      forLoop(Int(b, 0), tokens, Int(b, 1), [&](Int token) { bringRow(token); });
  });
  if (!bringsScales())
    copyScales();
}

/// Calls `body(to, from)` for each row of the weight's scales.
void Kernel::forScaleRows(llvm::function_ref<void(const Shared &, const Global &)> body) const {
  int64_t last = llvm::divideCeil(problem.weightRows, 128) - 1;
  for (int64_t wave = 0; wave < waves; ++wave)
    for (int64_t i = 0; i < scaleRows; ++i) {
      Int from = min((firstRows[wave] >> 7) + i, Int(b, last));
      body(weightScales + (wave * scaleRows + i) * blocks * 4,
           frame.getSlot(problem.wScales).at(from, blocks * 4));
    }
}

void Kernel::bringRow(const Int &token) {
  copyBulk(x + token * (problem.k + kPadding), frame.getSlot(problem.xCodes).at(token, problem.k),
           Int(b, problem.k), barrier);
  if (bringsScales())
    copyBulk(scales + token * (blocks * 4), frame.getSlot(problem.xScales).at(token, blocks * 4),
             Int(b, blocks * 4), barrier);
}

/// All scales, by all threads; seen behind the next barrier of the block.
void Kernel::copyScales() {
  auto copy = [&](const Shared &to, const Global &from, const Int &count) {
    forLoop(thread, count, Int(b, tile.getThreads()),
            [&](Int i) { store(load(from + i * 4, b.getF32Type(), 4), to + i * 4, 4); });
  };
  forScaleRows([&](const Shared &to, const Global &from) { copy(to, from, Int(b, blocks)); });
  if (frame.getShape().earlyLaunch)
    waitDependencies(b);
  copy(scales, frame.getSlot(problem.xScales), tokens * blocks);
}

//===----------------------------------------------------------------------===//
// The products
//===----------------------------------------------------------------------===//

/// Rows behind the last one repeat it.
Kernel::Slot Kernel::loadWeights(const Int &turn) const {
  Slot slot;
  Int k = (turn * tile.kWarps + kWarp) * 128 + quad * 16;
  for (int64_t group = 0; group < groups; ++group) {
    int64_t wave = group / (warpRows / 8), inWave = group % (warpRows / 8);
    Int at = firstRows[wave] + rowWarp * warpRows + (row + 8 * inWave);
    if (problem.columns % tile.rows)
      at = min(at, Int(b, problem.weightRows - 1));
    Global line = frame.getSlot(problem.wCodes).at(at, problem.k) + k;
    for (int64_t half = 0; half < 2; ++half)
      slot.push_back(loadStreaming(line + 64 * half));
  }
  return slot;
}

/// The weight's scales in one block of K: of the warp's first rows and, when they may differ, of
/// its last, for each wave.
Values Kernel::loadScales(const Int &turn) const {
  Values loaded;
  Int block = turn * tile.kWarps + kWarp;
  for (int64_t wave = 0; wave < waves; ++wave) {
    Int first = firstRows[wave] + rowWarp * warpRows;
    for (Int at : {first, first + (warpRows - 8)}) {
      Int line = (at >> 7) - (firstRows[wave] >> 7);
      loaded.push_back(load(weightScales + (line * blocks + block + wave * scaleRows * blocks) * 4,
                            b.getF32Type(), 4));
      if (scaleRows == 1)
        break;
    }
  }
  return loaded;
}

/// The scale of group `group`'s rows.
Values Kernel::getScale(mlir::ValueRange loaded, int64_t group) const {
  int64_t wave = group / (warpRows / 8), inWave = group % (warpRows / 8);
  if (scaleRows == 1)
    return {loaded[wave]};
  Int first = firstRows[wave] + rowWarp * warpRows;
  Bool isFirst = ((first + 8 * inWave) >> 7) == (first >> 7);
  return {select(isFirst, loaded[2 * wave], loaded[2 * wave + 1])};
}

Values Kernel::multiply(const Int &turn, const Slot &weights, mlir::ValueRange sums) const {
  auto vector = mlir::VectorType::get(4, b.getI32Type());
  Int block = turn * tile.kWarps + kWarp;
  int64_t halves = tile.tokens == 1 ? 1 : 2; // of 8 tokens
  Slot codes;                                // [half of tokens][half of the block]
  Values factors;
  for (int64_t h = 0; h < halves; ++h) {
    Int token = min(row + 8 * h, tokens - 1);
    Shared line = x + token * (problem.k + kPadding) + block * 128 + quad * 16;
    for (int64_t half = 0; half < 2; ++half)
      codes.push_back(getElements(b, load(line + 64 * half, vector, 16)));
    factors.push_back(load(scales + (token * blocks + block) * 4, b.getF32Type(), 4));
  }
  Values loaded = loadScales(turn);
  Value zero = Int(b, 0).value;
  Values result;
  for (int64_t group = 0; group < groups; ++group) {
    Values product(4, constantFloat(b, 0));
    for (int64_t half = 0; half < 2; ++half)
      for (int64_t q = 0; q < 4; q += 2) {
        auto word = [&](int64_t h, int64_t i) {
          return h < halves ? codes[2 * h + half][i] : zero;
        };
        const Values &w = weights[2 * group + half];
        product = multiplyWarp(b, {word(0, q), word(1, q), word(0, q + 1), word(1, q + 1)},
                               {w[q], w[q + 1]}, product);
      }
    Value scale = getScale(loaded, group).front();
    for (int64_t i = 0; i < sumsPerGroup(); ++i)
      result.push_back(fma(b, product[i], multiplyFloat(b, factors[i / 2], scale),
                           sums[group * sumsPerGroup() + i]));
  }
  return result;
}

static Values flatten(llvm::ArrayRef<llvm::SmallVector<Values>> slots) {
  Values flat;
  for (const auto &slot : slots)
    for (const Values &registers : slot)
      llvm::append_range(flat, registers);
  return flat;
}

/// Walks over the warp's blocks of K with `steps` of them in flight.
Values Kernel::runTurns() {
  llvm::SmallVector<Slot> slots;
  for (int64_t i = 0; i < tile.steps; ++i)
    slots.push_back(loadWeights(Int(b, i)));
  if (frame.getShape().earlyLaunch)
    bring();
  syncBlock(b); // the barrier is initialised
  waitBarrier(barrier, Int(b, 0));
  Values sums(groups * sumsPerGroup(), constantFloat(b, 0));

  size_t perSlot = groups * 2;
  auto unflatten = [&](mlir::ValueRange flat, int64_t step) {
    Slot slot;
    for (size_t i = 0; i < perSlot; ++i)
      slot.push_back(Values(flat.slice((step * perSlot + i) * 4, 4)));
    return slot;
  };
  Values flat = flatten(slots);
  size_t numRegisters = flat.size();
  if (turns > tile.steps) {
    Values init = flat;
    llvm::append_range(init, sums);
    Values last = forLoop(Int(b, 0), Int(b, turns - tile.steps), Int(b, tile.steps), init,
                          [&](Int turn, mlir::ValueRange carried) {
                            Values kept(carried.drop_front(numRegisters));
                            llvm::SmallVector<Slot> next;
                            for (int64_t i = 0; i < tile.steps; ++i) {
                              kept = multiply(turn + i, unflatten(carried, i), kept);
                              next.push_back(loadWeights(turn + (tile.steps + i)));
                            }
                            Values all = flatten(next);
                            llvm::append_range(all, kept);
                            return all;
                          });
    flat.assign(last.begin(), last.begin() + numRegisters);
    sums.assign(last.begin() + numRegisters, last.end());
  }
  for (int64_t i = 0; i < tile.steps; ++i)
    sums = multiply(Int(b, turns - tile.steps + i), unflatten(flat, i), sums);
  return sums;
}

//===----------------------------------------------------------------------===//
// The results
//===----------------------------------------------------------------------===//

/// partial[warp of K][token][wave][row of the block]
void Kernel::keepSums(mlir::ValueRange sums) const {
  int64_t width = waves * tile.rows;
  auto keep = [&] {
    Int token = tile.tokens == 1 ? Int(b, 0) : row;
    Shared line =
        partial + ((kWarp * tile.tokens + token) * width + rowWarp * warpRows + quad * 2) * 4;
    for (int64_t group = 0; group < groups; ++group) {
      int64_t wave = group / (warpRows / 8), inWave = group % (warpRows / 8);
      for (int64_t h = 0; h < sumsPerGroup() / 2; ++h) {
        int64_t at = group * sumsPerGroup() + 2 * h;
        store(makeVector(b, {sums[at], sums[at + 1]}),
              line + (8 * h * width + wave * tile.rows + 8 * inWave) * 4, 8);
      }
    }
  };
  if (tile.tokens == 1)
    ifThen(row == 0, keep);
  else
    keep();
}

/// Two columns of a token a thread, summed over the warps of K in order.
void Kernel::finishColumns() const {
  int64_t pairs = tile.rows / 2, width = waves * tile.rows;
  auto vector = mlir::VectorType::get(2, b.getF32Type());
  forLoop(thread, Int(b, tile.tokens * pairs), Int(b, tile.getThreads()), [&](Int index) {
    Int token = index / pairs, inBlock = (index % pairs) * 2;
    Int at = column + inBlock;
    ifThen((token < tokens) & (at < problem.columns), [&] {
      llvm::SmallVector<std::array<Value, 2>, 2> sums;
      for (int64_t wave = 0; wave < waves; ++wave) {
        std::array<Value, 2> sum;
        for (int64_t w = 0; w < tile.kWarps; ++w) {
          Int place = (token + w * tile.tokens) * width + inBlock + wave * tile.rows;
          Values pair = getElements(b, load(partial + place * 4, vector, 8));
          for (int64_t e : {0, 1})
            sum[e] = w ? addFloat(b, sum[e], pair[e]) : pair[e];
        }
        sums.push_back(sum);
      }
      epilogue.emitPair(token, at, sums);
    });
  });
}

void moec::hopper::emitStreamingMatmul(KernelFrame &frame, const BlockScaledProblem &problem,
                                       const StreamingTile &tile, const EpilogueSpec &epilogue) {
  Kernel(frame, problem, tile, epilogue).emit();
}
