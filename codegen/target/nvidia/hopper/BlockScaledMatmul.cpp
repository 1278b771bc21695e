#include "codegen/target/nvidia/hopper/BlockScaledMatmul.h"

#include "codegen/target/nvidia/hopper/Cluster.h"
#include "codegen/target/nvidia/hopper/ClusterSums.h"
#include "codegen/target/nvidia/hopper/MbarrierRing.h"
#include "codegen/target/nvidia/hopper/RowGather.h"
#include "codegen/target/nvidia/hopper/WarpRoles.h"
#include "codegen/target/nvidia/hopper/WeightScales.h"
#include "codegen/target/nvidia/hopper/WgmmaTile.h"

#include "llvm/Support/MathExtras.h"

using namespace moec::hopper;

// Scales come in boxes of as many blocks of K as 16 bytes hold.
static constexpr int64_t kScaleBlocks = MatmulTile::kScaleBlocks;
// Blocks of K whose weights are asked for while the launch before runs; the copy engine serves x
// behind them.
static constexpr int64_t kPrefetched = 16;
// A warp of the producers that brings scales, while another one's first lane brings operands.
static constexpr int64_t kScaleWarp = 1, kScaleThreads = 32;

std::optional<std::string> BlockScaledProblem::refuse() const {
  if (k % 128)
    return "K = " + std::to_string(k) + " is no multiple of 128";
  if (columns % 8)
    return "N = " + std::to_string(columns) + " is no multiple of 8";
  if (groups && groups->count > RowGroups::kMostGroups)
    return "its offsets list " + std::to_string(groups->count) + " groups, more than " +
           std::to_string(RowGroups::kMostGroups);
  return std::nullopt;
}

LaunchShape moec::hopper::getLaunchShape(const MatmulTile &tile) {
  LaunchShape shape;
  shape.threads = WarpRoles{.consumers = tile.consumers}.getThreads();
  shape.cluster = tile.getCluster();
  shape.minBlocks = tile.getResidentBlocks();
  shape.maxBlocks = tile.split > 1 ? 0 : tile.workers; // what a cluster adds up, it adds up once
  return shape;
}

namespace {

class Kernel {
public:
  Kernel(KernelFrame &frame, const BlockScaledProblem &problem, const MatmulTile &tile,
         const EpilogueSpec &spec)
      : frame(frame), b(frame.b), problem(problem), tile(tile),
        roles{.consumers = tile.consumers,
              .manyProducers = true,
              .producesMuch = problem.isGathered()},
        epilogue(frame, spec, tile, problem.getRows()), blocks(problem.k / 128),
        operands(frame, tile.stages, tile.getStageBytes()),
        scales(frame, tile.getScaleBuffers(), tile.getScaleBytes()),
        order(frame, tile, problem.columns, problem.groups) {
    if (tile.split > 1) {
      gathered = frame.allocate(tile.getGatheredBytes(), 16);
      arrived = frame.allocate(8, 8);
    }
  }

  void emit();

private:
  void addMaps();
  void start();
  void divideBlocks();
  bool sharesBandwidth() const { return tile.rows == 64 && tile.split == 1; }
  void shareBandwidth();
  void waitForLaunch() const;
  Int getWeightRow(const Int &column, int64_t wave) const;
  TilePlace getPlace(const Int &index) const;
  /// Calls `body(place, carried)` for each of the block's tiles.
  void forTiles(mlir::ValueRange init,
                llvm::function_ref<Values(const TilePlace &, mlir::ValueRange)> body);

  void produce();
  void walkOperands();
  void walkScales();
  void walkTogether();
  void forBlocks(
      MbarrierRing &ring, int64_t step, llvm::function_ref<void(const TilePlace &)> startTile,
      llvm::function_ref<void(const TilePlace &, Int block, const MbarrierRing::Position &)> bring);
  bool isEarly() const { return frame.getShape().earlyLaunch && !problem.groups; }
  Int countEarly() const { return min(numBlocks, operands.getCount()); }
  void bringEarly();
  void bringOperands(const MbarrierRing::Position &position, const TilePlace &place,
                     const Int &block);
  void bringWeights(const MbarrierRing::Position &position, const TilePlace &place,
                    const Int &block);
  void bringScales(const MbarrierRing::Position &position, const TilePlace &place,
                   const RowGather &gather, const Int &block, const Int &thread);
  RowGather::Source getRowSource() const {
    return {problem.xCodes, problem.k, problem.groups, problem.xScales};
  }

  void consume(const Int &warpgroup);
  bool canRest() const;
  Values computeTile(const TilePlace &place, mlir::ValueRange positions);
  Values passTile(mlir::ValueRange positions) const;
  /// One block of K; `sums` go on.
  struct Step {
    MbarrierRing::Position operand, scale;
    Values sums;
    Values registers; // of the last product
  };
  WeightScales getWeightScales(const TilePlace &place) const;
  Values multiplyAll(mlir::ValueRange positions, const WeightScales &weightScales);
  Values multiplyBlocks(int64_t count, mlir::ValueRange carried, const WeightScales &weightScales);
  void multiplyBlock(Step &step, int64_t turn, bool isLastTurn, const WeightScales &weightScales);
  void finishTile(const TilePlace &place, mlir::ValueRange sums);
  Values addParts(mlir::ValueRange sums) const;
  void storeTile(const TilePlace &place, mlir::ValueRange sums);
  Values promote(llvm::ArrayRef<Value> factors, mlir::ValueRange product, mlir::ValueRange sums,
                 int64_t columnWave, mlir::ValueRange loaded, const WeightScales &weightScales);

  int64_t countSums() const { return tile.getWaves() * tile.columns / 2; }

  KernelFrame &frame;
  Builder &b;
  BlockScaledProblem problem;
  MatmulTile tile;
  WarpRoles roles;
  TileEpilogue epilogue;
  int64_t blocks; // of K
  MbarrierRing operands, scales;
  TileOrder order;
  Value xMap, wMap; // of x: null when threads bring it
  Int numTiles;
  Int warp, lane, warpRow;   // of a consumer; its warp's first row in the tile
  Int rank;                  // in the cluster
  Int firstBlock, numBlocks; // of K, this block's
  Int cluster, numClusters;
  Shared gathered, arrived; // sums of the cluster's other blocks, and their barrier
};

} // namespace

//===----------------------------------------------------------------------===//
// Both roles
//===----------------------------------------------------------------------===//

void Kernel::emit() {
  addMaps();
  start();
  roles.split(b, [&] { produce(); }, [&](Int warpgroup) { consume(warpgroup); });
}

void Kernel::addMaps() {
  if (!problem.isGathered())
    xMap = frame.addTensorMap(TensorMap::ofOperand(problem.xCodes, problem.k, problem.getRows(),
                                                   static_cast<uint32_t>(tile.getBroughtRows())));
  int64_t matrices = problem.groups ? problem.groups->count : 1;
  wMap = frame.addTensorMap(TensorMap::ofOperand(problem.wCodes, problem.k,
                                                 Extent::of(matrices * problem.weightRows),
                                                 static_cast<uint32_t>(tile.columns)));
}

void Kernel::start() {
  bool together = problem.isGathered();
  ifThen(getThread(b) == 0, [&] {
    operands.init(1 + (together ? RowGather::kThreads : 0), roles.getConsumerWarps());
    // All lanes read scales by themselves, and what overwrites them is not the copy engine.
    scales.init(together ? RowGather::kThreads : kScaleThreads, 128 * tile.consumers);
    epilogue.init();
    if (tile.split > 1) {
      initBarrier(arrived, 1);
      arriveExpecting(arrived, Int(b, tile.getGatheredBytes()));
    }
    fenceBarrierInit(b);
    for (Value map : {xMap, wMap})
      if (map)
        prefetchMap(b, map);
    for (Value map : epilogue.getMaps())
      prefetchMap(b, map);
  });
  if (problem.groups && frame.getShape().earlyLaunch)
    waitDependencies(b); // which tiles there are was decided before
  order.start(problem.groups ? Int() : frame.getDim(problem.rowsDim) * problem.rowsMultiplier);
  Cluster{tile.getCluster()}.meet(b);
  if (problem.groups && tile.getCluster() > 1)
    syncBlock(b); // a cluster's meeting does not show what was written
  rank = tile.getCluster() > 1 ? getClusterRank(b) : Int(b, 0);
  divideBlocks();
  cluster = getBlock(b) / tile.getCluster();
  numClusters = getNumBlocks(b) / tile.getCluster();
  if (frame.getShape().earlyLaunch)
    launchDependents(b);
  numTiles = order.countTiles();
  if (sharesBandwidth())
    shareBandwidth();
}

/// Blocks of a cluster have whole boxes of scales of K, and as many but for one.
void Kernel::divideBlocks() {
  int64_t boxes = blocks / kScaleBlocks;
  firstBlock = Int(b, 0), numBlocks = Int(b, blocks);
  if (tile.split == 1)
    return;
  firstBlock = rank * boxes / tile.split * kScaleBlocks;
  numBlocks = Int(b, boxes / tile.split * kScaleBlocks);
  if (boxes % tile.split)
    numBlocks = (rank + 1) * boxes / tile.split * kScaleBlocks - firstBlock;
}

/// Where memory is the limit, a block's part of its bandwidth is as what the block has in flight:
/// one with fewer tiles than others has fewer buffers, so that all end at the same time.
void Kernel::shareBandwidth() {
  Int most = (numTiles + numClusters - 1) / numClusters;
  Int mine = (numTiles + numClusters - 1 - cluster) / numClusters;
  Int part = (mine * tile.stages + most - 1) / select(most == 0, Int(b, 1), most);
  operands.limit(select(part < 2, Int(b, 2), part));
}

/// Before what the launch before wrote is read, or what it reads is written.
void Kernel::waitForLaunch() const {
  if (frame.getShape().earlyLaunch && !problem.groups)
    waitDependencies(b);
}

/// In the tile's matrix of the weight.
Int Kernel::getWeightRow(const Int &column, int64_t wave) const {
  if (problem.interleave)
    return (column / problem.interleave) * (tile.columnWaves * problem.interleave) +
           column % problem.interleave + wave * problem.interleave;
  return column + wave * problem.columns;
}

void Kernel::forTiles(mlir::ValueRange init,
                      llvm::function_ref<Values(const TilePlace &, mlir::ValueRange)> body) {
  forLoop(cluster, numTiles, numClusters, init,
          [&](Int index, mlir::ValueRange carried) { return body(getPlace(index), carried); });
}

/// This block's part of the cluster's tile.
TilePlace Kernel::getPlace(const Int &index) const {
  TilePlace place = order.getPlace(index);
  if (tile.parts > 1)
    place.column = place.column + rank * tile.columns;
  place.turn = index / numClusters;
  return place;
}

static Values join(llvm::ArrayRef<mlir::ValueRange> ranges) {
  Values all;
  for (mlir::ValueRange range : ranges)
    llvm::append_range(all, range);
  return all;
}

//===----------------------------------------------------------------------===//
// The producers
//===----------------------------------------------------------------------===//

void Kernel::produce() {
  if (problem.isGathered())
    return walkTogether();
  Int producer = broadcast(RowGather::getThread(b) >> 5, 0);
  ifThen(
      producer == 0, [&] { ifThen(RowGather::getThread(b) == 0, [&] { walkOperands(); }); },
      [&] { ifThen(producer == kScaleWarp, [&] { walkScales(); }); });
}

/// Walks along `ring` over this block's blocks of K of all its tiles, `step` at a time.
void Kernel::forBlocks(
    MbarrierRing &ring, int64_t step, llvm::function_ref<void(const TilePlace &)> startTile,
    llvm::function_ref<void(const TilePlace &, Int, const MbarrierRing::Position &)> bring) {
  forTiles(ring.getFillerStart().getValues(),
           [&](const TilePlace &place, mlir::ValueRange position) {
             startTile(place);
             return forLoop(Int(b, 0), numBlocks, Int(b, step), position,
                            [&](Int block, mlir::ValueRange carried) {
                              auto at = ring.getPosition(carried);
                              bring(place, block, at);
                              return ring.advance(at).getValues();
                            });
           });
}

/// One thread.
void Kernel::walkOperands() {
  if (isEarly())
    bringEarly();
  waitForLaunch();
  forBlocks(
      operands, 1, [](const TilePlace &) {},
      [&](const TilePlace &place, Int block, const MbarrierRing::Position &at) {
        bringOperands(at, place, block);
      });
}

/// One warp.
void Kernel::walkScales() {
  Int thread = getThread(b) & (kScaleThreads - 1);
  if (isEarly()) {
    ifThen(cluster < numTiles, [&] {
      getWeightScales(getPlace(cluster)).prefetch(frame.getSlot(problem.wScales), thread);
    });
    waitForLaunch();
  }
  RowGather gather(frame, getRowSource(), tile.getBroughtRows(), thread, kScaleThreads);
  forBlocks(
      scales, kScaleBlocks, [&](const TilePlace &place) { gather.start(place); },
      [&](const TilePlace &place, Int block, const MbarrierRing::Position &at) {
        bringScales(at, place, gather, block, thread);
      });
}

/// All of the warpgroup's threads bring scattered rows, and scales on the way.
void Kernel::walkTogether() {
  Int thread = RowGather::getThread(b);
  RowGather gather(frame, getRowSource(), tile.getBroughtRows(), thread);
  Values init = join({operands.getFillerStart().getValues(), scales.getFillerStart().getValues()});
  forTiles(init, [&](const TilePlace &place, mlir::ValueRange positions) {
    gather.start(place);
    return forLoop(Int(b, 0), numBlocks, Int(b, 1), positions,
                   [&](Int block, mlir::ValueRange carried) {
                     auto at = operands.getPosition(carried.take_front(2));
                     auto scale = scales.getPosition(carried.drop_front(2));
                     ifThen(thread == 0, [&] { bringOperands(at, place, block); });
                     // Who brings nothing does not wait: it could miss a phase.
                     operands.waitEmpty(at);
                     gather.bringRows(operands.getBuffer(at), block);
                     arriveAfterCopies(operands.getFull(at));
                     // A box of scales serves the next blocks too.
                     Bool isFirst = (block & (kScaleBlocks - 1)) == 0;
                     ifThen(isFirst, [&] { bringScales(scale, place, gather, block, thread); });
                     auto next = scales.advanceIf(scale, isFirst);
                     return join({operands.advance(at).getValues(), next.getValues()});
                   });
  });
}

/// Weights of the first tile's blocks of K, as many as there are buffers, before the wait for the
/// launch before. What is behind these goes into the second cache.
void Kernel::bringEarly() {
  ifThen(cluster < numTiles, [&] {
    TilePlace place = getPlace(cluster);
    Int early = countEarly();
    forLoop(Int(b, 0), early, Int(b, 1), operands.getFillerStart().getValues(),
            [&](Int block, mlir::ValueRange carried) {
              auto at = operands.getPosition(carried);
              arriveExpecting(operands.getFull(at), Int(b, tile.getStageBytes()));
              bringWeights(at, place, firstBlock + block);
              return operands.advance(at).getValues();
            });
    forLoop(early, min(numBlocks, Int(b, kPrefetched)), Int(b, 1), [&](Int block) {
      for (int64_t wave = 0; wave < tile.columnWaves; ++wave)
        prefetchBox(b, wMap,
                    {((firstBlock + block) * 128).value, getWeightRow(place.column, wave).value});
    });
  });
}

/// Of this block's `block`-th block of K, by one thread.
void Kernel::bringOperands(const MbarrierRing::Position &position, const TilePlace &place,
                           const Int &block) {
  auto beginWithWeights = [&] {
    int64_t missing = problem.isGathered() ? tile.getBroughtRows() * 128 : 0;
    operands.beginFill(position, tile.getStageBytes() - missing);
    bringWeights(position, place, firstBlock + block);
  };
  if (isEarly())
    ifThen((place.turn == 0) & (block < countEarly()), [] {}, beginWithWeights);
  else
    beginWithWeights();
  if (!problem.isGathered())
    copyBox(operands.getBuffer(position), xMap,
            {((firstBlock + block) * 128).value, place.row.value}, operands.getFull(position));
}

void Kernel::bringWeights(const MbarrierRing::Position &position, const TilePlace &place,
                          const Int &block) {
  Shared weights = operands.getBuffer(position) + tile.getBroughtRows() * 128;
  for (int64_t wave = 0; wave < tile.columnWaves; ++wave) {
    Int row = getWeightRow(place.column, wave);
    if (problem.groups)
      row = row + place.group * problem.weightRows;
    copyBox(weights + wave * tile.columns * 128, wMap, {(block * 128).value, row.value},
            operands.getFull(position));
  }
}

/// Of the block's `block`-th block of K and the next ones, kScaleBlocks in all, by as many threads
/// as the ring counts.
void Kernel::bringScales(const MbarrierRing::Position &position, const TilePlace &place,
                         const RowGather &gather, const Int &block, const Int &thread) {
  Shared to = scales.getBuffer(position);
  Int first = firstBlock + block;
  scales.waitEmpty(position);
  gather.bringScales(to, first, kScaleBlocks);
  getWeightScales(place).bring(to + tile.rows * 4 * kScaleBlocks, frame.getSlot(problem.wScales),
                               place.group, first, thread);
  arriveAfterCopies(scales.getFull(position));
}

//===----------------------------------------------------------------------===//
// The consumers
//===----------------------------------------------------------------------===//

void Kernel::consume(const Int &warpgroup) {
  Int thread = getThread(b);
  lane = thread & 31;
  warp = broadcast(thread >> 5, 0);
  warpRow = warpgroup * (64 * tile.getRowWaves()) + (warp & 3) * 16;
  waitForLaunch();
  Values start = join({operands.getUserStart().getValues(), scales.getUserStart().getValues()});
  forTiles(start, [&](const TilePlace &place, mlir::ValueRange positions) {
    if (!canRest())
      return computeTile(place, positions);
    Int firstRow = place.row + (warpRow - (warp & 3) * 16);
    return choose(
        firstRow < place.limit, positions.getTypes(), [&] { return computeTile(place, positions); },
        [&] { return passTile(positions); });
  });
  epilogue.finish(lane);
}

/// A warpgroup whose rows all lie behind the group's last one multiplies nothing: with a hundred
/// rows a group, every second tile has few. Staged stores count a warp's tiles, clusters meet; with
/// rows by the copy engine it was slower.
bool Kernel::canRest() const {
  return problem.isGathered() && tile.consumers > 1 && !tile.staged && tile.getCluster() == 1;
}

/// Both return the rings' positions behind the tile.
Values Kernel::computeTile(const TilePlace &place, mlir::ValueRange positions) {
  Values last = multiplyAll(positions, getWeightScales(place));
  Values sums(mlir::ValueRange(last).drop_front(4));
  finishTile(place, sums);
  return Values(mlir::ValueRange(last).take_front(4));
}

Values Kernel::passTile(mlir::ValueRange positions) const {
  Bool isFirst = lane == 0;
  return forLoop(
      Int(b, 0), numBlocks, Int(b, 1), positions, [&](Int block, mlir::ValueRange carried) {
        auto operand = operands.getPosition(carried.take_front(2));
        auto scale = scales.getPosition(carried.drop_front(2));
        operands.waitFull(operand);
        operands.release(operand, isFirst);
        Bool isLast = (block + 1 == numBlocks) | ((block & (kScaleBlocks - 1)) == kScaleBlocks - 1);
        ifThen(isLast, [&] {
          scales.waitFull(scale);
          scales.release(scale);
        });
        auto next = scales.advanceIf(scale, isLast);
        return join({operands.advance(operand).getValues(), next.getValues()});
      });
}

WeightScales Kernel::getWeightScales(const TilePlace &place) const {
  llvm::SmallVector<Int, 2> rows;
  for (int64_t wave = 0; wave < tile.columnWaves; ++wave)
    rows.push_back(getWeightRow(place.column, wave));
  return WeightScales(b, {problem.weightRows, blocks, tile.columns}, rows);
}

/// All blocks of K: the rings' positions behind them, then the sums.
Values Kernel::multiplyAll(mlir::ValueRange positions, const WeightScales &weightScales) {
  Values zeros(countSums(), constantFloat(b, 0));
  Values carried = join({positions, zeros});
  int64_t rest = blocks % kScaleBlocks; // K is divided among a cluster where there is none
  if (blocks > rest)
    carried = forLoop(Int(b, 0), numBlocks - rest, Int(b, kScaleBlocks), carried,
                      [&](Int, mlir::ValueRange before) {
                        return multiplyBlocks(kScaleBlocks, before, weightScales);
                      });
  if (rest)
    carried = multiplyBlocks(rest, carried, weightScales);
  return carried;
}

/// The next `count` blocks of K, whose scales came together.
Values Kernel::multiplyBlocks(int64_t count, mlir::ValueRange carried,
                              const WeightScales &weightScales) {
  Step step{operands.getPosition(carried.take_front(2)),
            scales.getPosition(carried.slice(2, 2)),
            Values(carried.drop_front(4)),
            {}};
  for (int64_t turn = 0; turn < count; ++turn)
    multiplyBlock(step, turn, turn + 1 == count, weightScales);
  return join({step.operand.getValues(), step.scale.getValues(), step.sums});
}

void Kernel::multiplyBlock(Step &step, int64_t turn, bool isLastTurn,
                           const WeightScales &weightScales) {
  if (turn == 0)
    scales.waitFull(step.scale);
  Shared column =
      scales.getBuffer(step.scale) + ((warpRow + (lane >> 2)) * (4 * kScaleBlocks)) + turn * 4;
  Values factors; // x's scales of the lane's rows: [row wave][half]
  for (int64_t half = 0; half < 2 * tile.getRowWaves(); ++half)
    factors.push_back(
        load(column + (64 * (half / 2) + 8 * (half % 2)) * 4 * kScaleBlocks, b.getF32Type(), 4));
  Values loaded =
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
      if (isLastTurn) {
        syncWarp(b); // one lane says that all have read
        scales.release(step.scale);
      }
    }
    Values promoted = promote(llvm::ArrayRef(factors).slice(2 * rowWave, 2), step.registers,
                              mlir::ValueRange(step.sums).slice(wave * perWave, perWave),
                              columnWave, loaded, weightScales);
    // Otherwise the compiler may move them behind the next product, whose registers they read.
    if (!isLast || !isLastTurn)
      promoted = anchor(b, promoted);
    llvm::append_range(sums, promoted);
  }
  step.sums = sums;
  step.operand = operands.advance(step.operand);
  // With four, each turn has a buffer of its own, and all their addresses would be kept in
  // registers.
  if (tile.stages == kScaleBlocks && tile.getWaves() > 1)
    step.operand.buffer = pin(step.operand.buffer);
  if (isLastTurn)
    step.scale = scales.advance(step.scale);
}

void Kernel::finishTile(const TilePlace &place, mlir::ValueRange sums) {
  if (tile.split == 1)
    storeTile(place, sums);
  else
    storeTile(place, addParts(sums));
}

/// Of the block's part of the tile's columns, over all of K.
Values Kernel::addParts(mlir::ValueRange sums) const {
  llvm::SmallVector<Values> parts(tile.split);
  int64_t perWave = tile.columns / 2, perPart = perWave / tile.split;
  for (int64_t wave = 0; wave < tile.getWaves(); ++wave)
    for (auto [i, part] : llvm::enumerate(parts))
      llvm::append_range(part, sums.slice(wave * perWave + i * perPart, perPart));
  int64_t threads = 128 * tile.consumers;
  return ClusterParts{gathered, arrived, tile.split, threads}.exchange(rank, getThread(b), parts);
}

void Kernel::storeTile(const TilePlace &place, mlir::ValueRange sums) {
  int64_t columns = tile.columns / tile.split; // that the block stores
  Fragment fragment;
  fragment.lane = pin(lane);
  fragment.firstRow = place.row + warpRow;
  fragment.row = fragment.firstRow + (fragment.lane >> 2);
  fragment.column = tile.split > 1 ? place.column + rank * columns : place.column;
  fragment.limit = place.limit;
  fragment.warp = warp;
  fragment.turn = place.turn;
  fragment.tile = tile;
  fragment.tile.columns = columns;
  fragment.sums = Values(sums);
  epilogue.emit(fragment);
}

/// sums + product * both scales. `factors`: x's, of either half.
Values Kernel::promote(llvm::ArrayRef<Value> factors, mlir::ValueRange product,
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

void moec::hopper::emitBlockScaledMatmul(KernelFrame &frame, const BlockScaledProblem &problem,
                                         const MatmulTile &tile, const EpilogueSpec &epilogue) {
  Kernel(frame, problem, tile, epilogue).emit();
}
