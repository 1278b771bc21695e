// Tokens are the 16 rows of m16n8k32, weight rows its 8 columns. The order of K inside a block is
// free as long as both operands agree: a lane reads 16 bytes side by side of either, and nothing is
// ever shuffled.
#include "codegen/target/nvidia/hopper/StreamingMatmul.h"

#include "codegen/target/nvidia/hopper/StreamingSums.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace moec::hopper;

static constexpr int64_t kPadding = StreamingTile::kPadding;

LaunchShape moec::hopper::getLaunchShape(const StreamingTile &tile) {
  LaunchShape shape;
  shape.threads = tile.getThreads();
  shape.minBlocks = tile.minBlocks;
  shape.cluster = tile.parts;
  return shape;
}

int64_t moec::hopper::getNumBlocks(const StreamingTile &tile, const BlockScaledProblem &problem) {
  return llvm::divideCeil(problem.columns, tile.rows);
}

/// What the epilogue knows of a tile.
static MatmulTile getParts(const StreamingTile &tile) {
  MatmulTile parts;
  parts.consumers = 1;
  parts.parts = tile.parts;
  return parts;
}

namespace {

class Kernel {
public:
  Kernel(KernelFrame &frame, const BlockScaledProblem &problem, const StreamingTile &tile,
         const EpilogueSpec &spec)
      : frame(frame), b(frame.b), problem(problem), tile(tile), spec(spec),
        epilogue(frame, spec, getParts(tile), problem.getRows()), blocks(problem.k / 128),
        waves(spec.gated ? 2 : 1), warpRows(tile.rows / tile.rowWarps),
        octets(waves * warpRows / 8), turns(blocks / tile.kWarps),
        scaleRows(tile.countScaleRows()) {}

  void emit();

private:
  using Slot = llvm::SmallVector<Values>; // a block of K: [octet][half] four registers

  void allocate();
  void findPlace();
  void findGroup();
  Int countGroupsBefore(const Int &at) const;
  bool isSettled() const { return !problem.groups || problem.groups->areSettled; }
  void bring();
  void bringRow(const Int &row);
  void copyScales();
  void forScaleRows(llvm::function_ref<void(const Shared &, const Global &)> body) const;
  /// Whether rows of scales begin on 16 bytes, as copies in bulk need it.
  bool bringsScales() const { return blocks % 4 == 0; }

  void forPieces(const Int &turn, llvm::function_ref<void(const Global &)> body) const;
  Slot loadWeights(const Int &turn) const;
  void copyWeights(const Int &turn, const Int &buffer) const;
  Slot takeWeights(const Int &buffer) const;
  Shared getPiece(const Int &buffer, int64_t index) const;
  Values multiply(const Int &turn, const Slot &weights, mlir::ValueRange sums) const;
  Values loadScales(const Int &turn) const;
  Values getScale(mlir::ValueRange loaded, int64_t octet) const;
  Values runTurns();
  Values runBufferedTurns();
  void startProducts();

  void finishColumns() const;
  void quantizeColumns() const;

  KernelFrame &frame;
  Builder &b;
  const BlockScaledProblem &problem;
  StreamingTile tile;
  EpilogueSpec spec;
  TileEpilogue epilogue;
  int64_t blocks;    // of K
  int64_t waves;     // 2: gates and what they gate
  int64_t warpRows;  // weight rows of a warp, of each wave
  int64_t octets;    // of 8 weight rows, of a warp
  int64_t turns;     // blocks of K of a warp
  int64_t scaleRows; // of the weight, of each wave

  Shared barrier, weightScales, scales, x, ring;
  std::optional<StreamingSums> partial;
  Int thread, lane, row, quad; // the lane's row of both operands, and its 16 bytes of each 64
  Int rowWarp, kWarp;
  Int column; // the block's first
  Int tokens;
  llvm::SmallVector<Int> firstRows; // the block's first weight row, of each wave
  Int group;                        // whose matrix it is; no value: there is only one
  Int xRow, yRow;                   // of the first token
  Bool hasGroup;
};

} // namespace

void Kernel::emit() {
  bool early = frame.getShape().earlyLaunch;
  if (early && isSettled())
    launchDependents(b);
  allocate();
  findPlace();
  ifThen(thread == 0, [&] {
    initBarrier(barrier, 1);
    epilogue.init();
    fenceBarrierInit(b);
  });
  syncWarp(b); // the instruction is one of the warp, what follows one of the thread
  if (tile.parts > 1)
    arriveCluster(b);
  if (early && !isSettled()) { // whose weights they are was decided before
    waitDependencies(b);
    launchDependents(b);
  }
  if (problem.groups)
    findGroup();
  if (!early || !isSettled()) // otherwise they would queue behind the weights
    bring();
  Values sums = tile.buffers ? runBufferedTurns() : runTurns();
  partial->keep({row, quad, rowWarp, kWarp}, sums);
  syncBlock(b);
  if (early) // the kernel before may still read what this one writes
    waitDependencies(b);
  if (tile.parts > 1)
    waitCluster(b);
  if (spec.quantized)
    ifThen(broadcast(thread >> 5, 0) == 0, [&] { quantizeColumns(); });
  else
    finishColumns();
}

void Kernel::allocate() {
  barrier = frame.allocate(8, 16);
  weightScales = frame.allocate(waves * scaleRows * blocks * 4, 16);
  scales = frame.allocate(tile.tokens * blocks * 4, 16);
  x = frame.allocate(tile.tokens * (problem.k + kPadding), 128);
  partial.emplace(frame, tile, waves);
  if (tile.buffers)
    ring = frame.allocate(tile.buffers * tile.getBufferBytes(waves), 128);
}

void Kernel::findPlace() {
  thread = getThread(b);
  lane = thread & 31;
  row = lane >> 2, quad = lane & 3;
  Int warp = broadcast(thread >> 5, 0);
  rowWarp = warp % tile.rowWarps, kWarp = warp / tile.rowWarps;
  int64_t columnTiles = getNumBlocks(tile, problem);
  yRow = problem.groups ? getBlock(b) / columnTiles : Int(b, 0);
  column = (getBlock(b) - yRow * columnTiles) * tile.rows;
  xRow = yRow;
  hasGroup = Int(b, 0) == 0;
  for (int64_t wave = 0; wave < waves; ++wave)
    firstRows.push_back(problem.getWeightRow(column, wave));
}

/// A row behind the last group's has no product; it is computed with another's matrix, and not
/// stored.
void Kernel::findGroup() {
  const RowGroups &groups = *problem.groups;
  Int there = countGroupsBefore(yRow);
  hasGroup = there < groups.count;
  group = min(there, Int(b, groups.count - 1));
  if (!groups.rows)
    return;
  Int listed(b, load(frame.getSlot(*groups.rows).at(yRow, 4), b.getI32Type(), 4));
  xRow = select(hasGroup, listed / groups.topK, Int(b, 0));
}

/// Groups that end at row `at` or before it, by each warp for itself.
Int Kernel::countGroupsBefore(const Int &at) const {
  const RowGroups &groups = *problem.groups;
  Global offsets = frame.getSlot(groups.offsets);
  llvm::SmallVector<Int> ends;
  for (int64_t first = 1; first <= groups.count; first += 32) {
    Int index = min(lane + first, Int(b, groups.count));
    ends.push_back(Int(b, load(offsets.at(index, 4), b.getI32Type(), 4)));
  }
  Int before(b, 0);
  for (auto [i, end] : llvm::enumerate(ends)) {
    Bool exists = lane + (static_cast<int64_t>(i) * 32 + 1) < groups.count + 1;
    before = before + countOnes(ballot(exists & (end < at + 1)));
  }
  return before;
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
    if (frame.getShape().earlyLaunch && isSettled())
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
  int64_t rows = llvm::divideCeil(problem.weightRows, 128);
  for (int64_t wave = 0; wave < waves; ++wave)
    for (int64_t i = 0; i < scaleRows; ++i) {
      Int from = min((firstRows[wave] >> 7) + i, Int(b, rows - 1));
      if (problem.groups)
        from = from + group * rows;
      body(weightScales + (wave * scaleRows + i) * blocks * 4,
           frame.getSlot(problem.wScales).at(from, blocks * 4));
    }
}

void Kernel::bringRow(const Int &token) {
  copyBulk(x + token * (problem.k + kPadding),
           frame.getSlot(problem.xCodes).at(xRow + token, problem.k), Int(b, problem.k), barrier);
  if (bringsScales())
    copyBulk(scales + token * (blocks * 4),
             frame.getSlot(problem.xScales).at(xRow + token, blocks * 4), Int(b, blocks * 4),
             barrier);
}

/// All scales, by all threads; seen behind the next barrier of the block.
void Kernel::copyScales() {
  auto copy = [&](const Shared &to, const Global &from, const Int &count) {
    forLoop(thread, count, Int(b, tile.getThreads()),
            [&](Int i) { store(load(from + i * 4, b.getF32Type(), 4), to + i * 4, 4); });
  };
  forScaleRows([&](const Shared &to, const Global &from) { copy(to, from, Int(b, blocks)); });
  if (frame.getShape().earlyLaunch && isSettled())
    waitDependencies(b);
  copy(scales, frame.getSlot(problem.xScales).at(xRow, blocks * 4), tokens * blocks);
}

//===----------------------------------------------------------------------===//
// The products
//===----------------------------------------------------------------------===//

/// Calls `body` with each 16 bytes of the lane. Rows behind the last one repeat it.
void Kernel::forPieces(const Int &turn, llvm::function_ref<void(const Global &)> body) const {
  Int k = (turn * tile.kWarps + kWarp) * 128 + quad * 16;
  Global matrix = frame.getSlot(problem.wCodes);
  if (problem.groups)
    matrix = matrix.at(group * problem.weightRows, problem.k);
  for (int64_t octet = 0; octet < octets; ++octet) {
    int64_t wave = octet / (warpRows / 8), inWave = octet % (warpRows / 8);
    Int at = firstRows[wave] + rowWarp * warpRows + (row + 8 * inWave);
    if (problem.columns % tile.rows)
      at = min(at, Int(b, problem.weightRows - 1));
    Global line = matrix.at(at, problem.k) + k;
    for (int64_t half = 0; half < 2; ++half)
      body(line + 64 * half);
  }
}

Kernel::Slot Kernel::loadWeights(const Int &turn) const {
  Slot slot;
  forPieces(turn, [&](const Global &from) { slot.push_back(loadStreaming(from)); });
  return slot;
}

/// Nobody else reads what a thread brings, so nobody is told.
Shared Kernel::getPiece(const Int &buffer, int64_t index) const {
  return ring +
         (buffer * tile.getBufferBytes(waves) + thread * 16 + index * tile.getThreads() * 16);
}

/// Ends a group of copies, where there are none, too.
void Kernel::copyWeights(const Int &turn, const Int &buffer) const {
  ifThen(turn < turns, [&] {
    int64_t index = 0;
    forPieces(turn, [&](const Global &from) { copyStreaming(getPiece(buffer, index++), from); });
  });
  commitElements(b);
}

Kernel::Slot Kernel::takeWeights(const Int &buffer) const {
  auto vector = mlir::VectorType::get(4, b.getI32Type());
  Slot slot;
  for (int64_t i = 0; i < 2 * octets; ++i)
    slot.push_back(getElements(b, load(getPiece(buffer, i), vector, 16)));
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

/// The scale of rows `octet`.
Values Kernel::getScale(mlir::ValueRange loaded, int64_t octet) const {
  int64_t wave = octet / (warpRows / 8), inWave = octet % (warpRows / 8);
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
  for (int64_t octet = 0; octet < octets; ++octet) {
    Values product(4, constantFloat(b, 0));
    for (int64_t half = 0; half < 2; ++half)
      for (int64_t q = 0; q < 4; q += 2) {
        auto word = [&](int64_t h, int64_t i) {
          return h < halves ? codes[2 * h + half][i] : zero;
        };
        const Values &w = weights[2 * octet + half];
        product = multiplyWarp(b, {word(0, q), word(1, q), word(0, q + 1), word(1, q + 1)},
                               {w[q], w[q + 1]}, product);
      }
    Value scale = getScale(loaded, octet).front();
    int64_t values = partial->getValuesPerOctet();
    for (int64_t i = 0; i < values; ++i)
      result.push_back(
          fma(b, product[i], multiplyFloat(b, factors[i / 2], scale), sums[octet * values + i]));
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

/// With the first weights on their way.
void Kernel::startProducts() {
  if (frame.getShape().earlyLaunch && isSettled())
    bring();
  syncBlock(b); // the barrier is initialised
  waitBarrier(barrier, Int(b, 0));
}

/// Walks over the warp's blocks of K with `buffers` of them in flight. A thread reads a piece
/// before it asks for the next one in its place, in the same pipe: the copy writes when memory has
/// answered.
Values Kernel::runBufferedTurns() {
  for (int64_t i = 0; i < tile.buffers; ++i)
    copyWeights(Int(b, i), Int(b, i));
  startProducts();
  Values init(partial->countValues(), constantFloat(b, 0));
  init.push_back(Int(b, 0).value);
  Values last =
      forLoop(Int(b, 0), Int(b, turns), Int(b, 1), init, [&](Int turn, mlir::ValueRange carried) {
        Int buffer(b, carried.back());
        waitElements(b, tile.buffers - 1);
        Slot weights = takeWeights(buffer);
        Values sums = multiply(turn, weights, carried.drop_back());
        copyWeights(turn + tile.buffers, buffer);
        sums.push_back(select(buffer == tile.buffers - 1, Int(b, 0), buffer + 1).value);
        return sums;
      });
  last.pop_back();
  return last;
}

/// Walks over the warp's blocks of K with `steps` of them in flight.
Values Kernel::runTurns() {
  llvm::SmallVector<Slot> slots;
  for (int64_t i = 0; i < tile.steps; ++i)
    slots.push_back(loadWeights(Int(b, i)));
  startProducts();
  Values sums(partial->countValues(), constantFloat(b, 0));

  size_t perSlot = octets * 2;
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

/// Two columns of a token a thread.
void Kernel::finishColumns() const {
  int64_t pairs = tile.rows / 2;
  forLoop(thread, Int(b, tile.tokens * pairs), Int(b, tile.getThreads()), [&](Int index) {
    Int token = index / pairs, inBlock = (index % pairs) * 2;
    Int at = column + inBlock;
    ifThen((token < tokens) & (at < problem.columns) & hasGroup,
           [&] { epilogue.emitPair(yRow + token, at, partial->add(token, inBlock)); });
  });
}

/// Of the only token, by one warp.
void Kernel::quantizeColumns() const {
  Int inBlock = (lane & (tile.rows / 2 - 1)) * 2;
  epilogue.emitQuantized(yRow, column + inBlock, partial->add(Int(b, 0), inBlock),
                         hasGroup & (lane < tile.rows / 2));
}

void moec::hopper::emitStreamingMatmul(KernelFrame &frame, const BlockScaledProblem &problem,
                                       const StreamingTile &tile, const EpilogueSpec &epilogue) {
  Kernel(frame, problem, tile, epilogue).emit();
}
