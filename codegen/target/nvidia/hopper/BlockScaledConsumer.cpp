#include "codegen/target/nvidia/hopper/BlockScaledConsumer.h"

#include "codegen/target/nvidia/hopper/ClusterSums.h"
#include "codegen/target/nvidia/hopper/WgmmaTile.h"

using namespace moec::hopper;

static constexpr int64_t kScaleBlocks = BlockScaledParts::kScaleBlocks;

namespace {

class Consumer {
public:
  Consumer(const BlockScaledParts &parts, const Int &warpgroup)
      : parts(parts), b(parts.b), problem(parts.problem), tile(parts.tile),
        operands(parts.operands), scales(parts.scales), warpgroup(warpgroup) {}

  void emit();

private:
  Values computeTile(const TilePlace &place, mlir::ValueRange positions);
  /// One block of K; `sums` go on.
  struct Step {
    MbarrierRing::Position operand, scale;
    Values sums;
    Values loaded;    // the weight's scales, where they were fetched
    Values registers; // of the last product
  };
  Values fetchScales(const Int &block, const WeightScales &weightScales) const;
  Values multiplyAll(mlir::ValueRange positions, const WeightScales &weightScales);
  Values multiplyBlocks(const Int &block, int64_t count, mlir::ValueRange carried,
                        const WeightScales &weightScales);
  bool isBufferKnown() const;
  void multiplyBlock(Step &step, int64_t turn, bool isLastTurn, const WeightScales &weightScales);
  void finishTile(const TilePlace &place, mlir::ValueRange sums);
  Values addParts(mlir::ValueRange sums) const;
  void storeTile(const TilePlace &place, mlir::ValueRange sums);
  Values promote(llvm::ArrayRef<Value> factors, mlir::ValueRange product, mlir::ValueRange sums,
                 int64_t columnWave, mlir::ValueRange loaded, const WeightScales &weightScales);

  int64_t countSums() const { return tile.getWaves() * tile.columns / 2; }

  const BlockScaledParts &parts;
  Builder &b;
  const BlockScaledProblem &problem;
  const MatmulTile &tile;
  const MbarrierRing &operands, &scales;
  Int warpgroup;
  Int warp, lane, warpRow; // its warp's first row in the tile
};

} // namespace

void Consumer::emit() {
  Int thread = getThread(b);
  lane = thread & 31;
  warp = broadcast(thread >> 5, 0);
  warpRow = warpgroup * (64 * tile.getRowWaves()) + (warp & 3) * 16;
  parts.waitForLaunch();
  Values start = join({operands.getUserStart().getValues(), scales.getUserStart().getValues()});
  parts.forTiles(start, /*draws=*/std::nullopt,
                 [&](const TilePlace &place, mlir::ValueRange positions) {
                   return computeTile(place, positions);
                 });
  parts.epilogue.finish(lane);
}

/// Returns the rings' positions behind the tile.
Values Consumer::computeTile(const TilePlace &place, mlir::ValueRange positions) {
  Values last = multiplyAll(positions, parts.getWeightScales(place));
  Values sums(mlir::ValueRange(last).drop_front(4));
  finishTile(place, sums);
  return Values(mlir::ValueRange(last).take_front(4));
}

/// Of this block's `block`-th block of K; behind the last one, the last one's.
Values Consumer::fetchScales(const Int &block, const WeightScales &weightScales) const {
  if (!parts.fetchesWeightScales())
    return {};
  Int there = min(block, parts.numBlocks - 1);
  return weightScales.fetch(parts.frame.getSlot(problem.wScales), parts.firstBlock + there);
}

/// All blocks of K: the rings' positions behind them, then the sums.
Values Consumer::multiplyAll(mlir::ValueRange positions, const WeightScales &weightScales) {
  Values zeros(countSums(), constantFloat(b, 0));
  Values carried = join({positions, zeros, fetchScales(Int(b, 0), weightScales)});
  int64_t rest = parts.blocks % kScaleBlocks; // K is divided among a cluster where there is none
  Int whole = parts.numBlocks - rest;
  if (parts.blocks > rest)
    carried = forLoop(Int(b, 0), whole, Int(b, kScaleBlocks), carried,
                      [&](Int block, mlir::ValueRange before) {
                        return multiplyBlocks(block, kScaleBlocks, before, weightScales);
                      });
  if (rest)
    carried = multiplyBlocks(whole, rest, carried, weightScales);
  carried.resize(4 + countSums());
  return carried;
}

/// `count` blocks of K from `block` on, whose scales came together.
Values Consumer::multiplyBlocks(const Int &block, int64_t count, mlir::ValueRange carried,
                                const WeightScales &weightScales) {
  Step step{operands.getPosition(carried.take_front(2)),
            scales.getPosition(carried.slice(2, 2)),
            Values(carried.slice(4, countSums())),
            Values(carried.drop_front(4 + countSums())),
            {}};
  for (int64_t turn = 0; turn < count; ++turn) {
    Values next = fetchScales(block + (turn + 1), weightScales);
    multiplyBlock(step, turn, turn + 1 == count, weightScales);
    step.loaded = next;
  }
  return join({step.operand.getValues(), step.scale.getValues(), step.sums, step.loaded});
}

/// Whether each turn of the loop, or of its unrolled form, has a buffer of its own: all their
/// addresses would be kept in registers.
bool Consumer::isBufferKnown() const {
  return kScaleBlocks % tile.stages == 0 || parts.blocks < 2 * kScaleBlocks;
}

void Consumer::multiplyBlock(Step &step, int64_t turn, bool isLastTurn,
                             const WeightScales &weightScales) {
  if (turn == 0)
    scales.waitFull(step.scale);
  Shared column =
      scales.getBuffer(step.scale) + ((warpRow + (lane >> 2)) * (4 * kScaleBlocks)) + turn * 4;
  Values factors; // x's scales of the lane's rows: [row wave][half]
  for (int64_t half = 0; half < 2 * tile.getRowWaves(); ++half)
    factors.push_back(
        load(column + (64 * (half / 2) + 8 * (half % 2)) * 4 * kScaleBlocks, b.getF32Type(), 4));
  if (!parts.fetchesWeightScales())
    step.loaded =
        weightScales.load(scales.getBuffer(step.scale) + tile.rows * 4 * kScaleBlocks, turn);

  WgmmaTile product(b, Operand::E4M3, tile.columns);
  Shared buffer = operands.getBuffer(step.operand);
  Int firstRow = warpRow - (warp & 3) * 16; // of the warpgroup
  Value x = product.describe(buffer + firstRow * 128);
  Value w = product.describe(buffer + tile.getBroughtRows() * 128);
  operands.waitFull(step.operand);
  if (problem.isGathered())
    fenceCopies(b); // what threads wrote is read by the products

  Bool isFirst = lane == 0;
  Values sums;
  int64_t perWave = tile.columns / 2;
  for (int64_t wave = 0; wave < tile.getWaves(); ++wave) {
    int64_t rowWave = wave / tile.columnWaves, columnWave = wave % tile.columnWaves;
    Value under = product.start(product.skipRows(x, 64 * rowWave),
                                product.skipRows(w, tile.columns * columnWave), step.registers);
    step.registers = product.wait(under);
    bool isLast = wave + 1 == tile.getWaves();
    if (isLast) {
      operands.release(step.operand, isFirst);
      if (isLastTurn)
        scales.release(step.scale);
    }
    Values promoted = promote(llvm::ArrayRef(factors).slice(2 * rowWave, 2), step.registers,
                              mlir::ValueRange(step.sums).slice(wave * perWave, perWave),
                              columnWave, step.loaded, weightScales);
    // Otherwise the compiler may move them behind the next product, whose registers they read.
    llvm::append_range(sums, anchor(b, promoted));
  }
  step.sums = sums;
  step.operand = operands.advance(step.operand);
  if (isBufferKnown() && tile.getWaves() > 1)
    step.operand.buffer = pin(step.operand.buffer);
  if (isLastTurn)
    step.scale = scales.advance(step.scale);
}

void Consumer::finishTile(const TilePlace &place, mlir::ValueRange sums) {
  if (tile.split == 1)
    storeTile(place, sums);
  else
    storeTile(place, addParts(sums));
}

/// Of the block's part of the tile's columns, over all of K.
Values Consumer::addParts(mlir::ValueRange sums) const {
  llvm::SmallVector<Values> columns(tile.split);
  int64_t perWave = tile.columns / 2, perPart = perWave / tile.split;
  for (int64_t wave = 0; wave < tile.getWaves(); ++wave)
    for (auto [i, part] : llvm::enumerate(columns))
      llvm::append_range(part, sums.slice(wave * perWave + i * perPart, perPart));
  ClusterParts cluster{parts.gathered, parts.arrived, tile.split, 128 * tile.consumers};
  return cluster.exchange(parts.rank, getThread(b), columns);
}

void Consumer::storeTile(const TilePlace &place, mlir::ValueRange sums) {
  int64_t columns = tile.columns / tile.split; // that the block stores
  Fragment fragment;
  fragment.lane = pin(lane);
  fragment.firstRow = place.row + warpRow;
  fragment.row = fragment.firstRow + (fragment.lane >> 2);
  fragment.column = tile.split > 1 ? place.column + parts.rank * columns : place.column;
  fragment.limit = place.limit;
  fragment.warp = warp;
  fragment.turn = place.turn;
  fragment.tile = tile;
  fragment.tile.columns = columns;
  fragment.sums = Values(sums);
  parts.epilogue.emit(fragment);
}

/// sums + product * both scales. `factors`: x's, of either half.
Values Consumer::promote(llvm::ArrayRef<Value> factors, mlir::ValueRange product,
                         mlir::ValueRange sums, int64_t columnWave, mlir::ValueRange loaded,
                         const WeightScales &weightScales) {
  llvm::SmallVector<std::array<Value, 2>> scale; // [group][half]
  for (int64_t g = 0; g < weightScales.countGroups(); ++g) {
    Value w = weightScales.get(loaded, columnWave, g);
    scale.push_back({multiplyFloat(b, factors[0], w), multiplyFloat(b, factors[1], w)});
  }
  Values result;
  for (auto [i, sum] : llvm::enumerate(sums))
    result.push_back(fma(b, product[i], scale[weightScales.getGroup(i / 4)][i % 4 / 2], sum));
  return result;
}

void moec::hopper::emitBlockScaledConsumer(const BlockScaledParts &parts, const Int &warpgroup) {
  Consumer(parts, warpgroup).emit();
}
