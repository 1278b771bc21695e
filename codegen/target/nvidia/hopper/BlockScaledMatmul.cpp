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

// x's scales come in boxes of as many blocks of K as 16 bytes hold.
static constexpr int64_t kScaleBlocks = 4;
// Blocks of K whose weights are asked for while the launch before runs; the copy engine serves x
// behind them.
static constexpr int64_t kPrefetched = 16;

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
  shape.maxBlocks = tile.split > 1 ? 0 : tile.workers; // what a cluster gathers, it gathers once
  return shape;
}

namespace {

class Kernel {
public:
  Kernel(KernelFrame &frame, const BlockScaledProblem &problem, const MatmulTile &tile,
         const EpilogueSpec &spec)
      : frame(frame), b(frame.b), problem(problem), tile(tile),
        roles{.consumers = tile.consumers, .manyProducers = problem.needsThreads()},
        epilogue(frame, spec, tile, problem.getRows()), blocks(problem.k / 128 / tile.split),
        operands(frame, tile.stages, tile.getStageBytes()),
        scales(frame, 2, tile.rows * 4 * kScaleBlocks),
        order(frame, tile, problem.columns, problem.groups) {
    int64_t bytes = tile.rows * tile.getTileColumns() * 4;
    if (tile.split > 1) {
      gathered = frame.allocate((tile.split - 1) * bytes, 16);
      arrived = frame.allocate(8, 8);
    }
  }

  void emit();

private:
  void addMaps();
  void start();
  bool sharesBandwidth() const { return tile.rows == 64 && tile.split == 1; }
  void shareBandwidth();
  void waitForLaunch() const;
  Int getWeightRow(const Int &column, int64_t wave) const;
  TilePlace getPlace(const Int &index) const;
  /// Calls `body(place, carried)` for each of the block's tiles.
  void forTiles(mlir::ValueRange init,
                llvm::function_ref<Values(const TilePlace &, mlir::ValueRange)> body);

  void produce();
  int64_t countEarly() const;
  void bringEarly();
  Values bringBlock(const TilePlace &place, const RowGather *gather, const Int &block,
                    mlir::ValueRange positions);
  void bringOperands(const MbarrierRing::Position &position, const TilePlace &place,
                     const RowGather *gather, const Int &block);
  void bringWeights(const MbarrierRing::Position &position, const TilePlace &place,
                    const Int &block);
  void bringScales(const MbarrierRing::Position &position, const TilePlace &place,
                   const RowGather *gather, const Int &block);

  void consume(const Int &warpgroup);
  /// One block of K; `sums` go on, `loaded` are the weight's scales.
  struct Step {
    MbarrierRing::Position operand, scale;
    Values sums, loaded;
    Values registers; // of the last product
  };
  Values multiplyAll(mlir::ValueRange positions, const WeightScales &weightScales);
  Values multiplyBlocks(const Int &block, int64_t count, mlir::ValueRange carried,
                        const WeightScales &weightScales);
  void multiplyBlock(Step &step, int64_t turn, bool isLastTurn, const WeightScales &weightScales);
  void finishTile(const TilePlace &place, mlir::ValueRange sums);
  ClusterSums getClusterSums() const;
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
  int64_t blocks; // of K, of each block of a cluster
  MbarrierRing operands, scales;
  TileOrder order;
  Value xMap, wMap, scaleMap; // of x and of its scales: null when threads bring them
  Int numTiles;
  Int warp, lane, warpRow; // of a consumer; its warp's first row in the tile
  Int rank, firstBlock;    // in the cluster; of K
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
  if (problem.needsThreads())
    return;
  TensorMap map;
  map.slot = problem.xScales;
  map.element = TensorMap::Element::Float32;
  uint64_t allBlocks = problem.k / 128;
  map.sizes = {Extent::of(allBlocks), problem.getRows()};
  map.strides = {4 * allBlocks};
  map.box = {kScaleBlocks, static_cast<uint32_t>(tile.getBroughtRows())};
  scaleMap = frame.addTensorMap(map);
}

void Kernel::start() {
  int64_t byThreads = roles.manyProducers ? RowGather::kThreads : 0;
  ifThen(getThread(b) == 0, [&] {
    operands.init(1 + (problem.isGathered() ? byThreads : 0), roles.getConsumerWarps());
    scales.init(byThreads ? byThreads : 1, roles.getConsumerWarps());
    epilogue.init();
    if (tile.split > 1) {
      initBarrier(arrived, 1);
      arriveExpecting(arrived, Int(b, (tile.split - 1) * tile.rows * tile.getTileColumns() * 4));
    }
    fenceBarrierInit(b);
    for (Value map : {xMap, wMap, scaleMap})
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
  firstBlock = tile.split > 1 ? rank * blocks : Int(b, 0);
  cluster = getBlock(b) / tile.getCluster();
  numClusters = getNumBlocks(b) / tile.getCluster();
  if (frame.getShape().earlyLaunch)
    launchDependents(b);
  numTiles = order.countTiles();
  if (sharesBandwidth())
    shareBandwidth();
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
  if (countEarly())
    bringEarly();
  waitForLaunch();
  RowGather::Source source{problem.xCodes, problem.k, problem.groups, problem.xScales};
  RowGather gather(frame, source, tile.getBroughtRows(), RowGather::getThread(b));
  bool gathers = problem.needsThreads();
  Values init = join({operands.getFillerStart().getValues(), scales.getFillerStart().getValues()});
  forTiles(init, [&](const TilePlace &place, mlir::ValueRange positions) {
    if (gathers)
      gather.start(place);
    return forLoop(Int(b, 0), Int(b, blocks), Int(b, 1), positions,
                   [&](Int block, mlir::ValueRange carried) {
                     return bringBlock(place, gathers ? &gather : nullptr, block, carried);
                   });
  });
}

/// Blocks of K of the first tile whose weights are asked for before the wait for the launch before,
/// as many as there are buffers.
int64_t Kernel::countEarly() const {
  if (!frame.getShape().earlyLaunch || problem.groups)
    return 0;
  int64_t buffers = sharesBandwidth() ? (tile.stages + 1) / 2 : tile.stages; // that all blocks use
  return std::min(blocks, buffers);
}

/// What is behind these goes into the second cache.
void Kernel::bringEarly() {
  Bool isMine = cluster < numTiles;
  if (roles.manyProducers)
    isMine = isMine & (RowGather::getThread(b) == 0);
  ifThen(isMine, [&] {
    TilePlace place = getPlace(cluster);
    int64_t early = countEarly();
    forLoop(Int(b, 0), Int(b, early), Int(b, 1), operands.getFillerStart().getValues(),
            [&](Int block, mlir::ValueRange carried) {
              auto at = operands.getPosition(carried);
              arriveExpecting(operands.getFull(at), Int(b, tile.getStageBytes()));
              bringWeights(at, place, firstBlock + block);
              return operands.advance(at).getValues();
            });
    forLoop(Int(b, early), Int(b, std::min(blocks, std::max(early, kPrefetched))), Int(b, 1),
            [&](Int block) {
              for (int64_t wave = 0; wave < tile.columnWaves; ++wave)
                prefetchBox(
                    b, wMap,
                    {((firstBlock + block) * 128).value, getWeightRow(place.column, wave).value});
            });
  });
}

Values Kernel::bringBlock(const TilePlace &place, const RowGather *gather, const Int &block,
                          mlir::ValueRange positions) {
  auto operand = operands.getPosition(positions.take_front(2));
  auto scale = scales.getPosition(positions.drop_front(2));
  bringOperands(operand, place, gather, block);
  // A box of scales serves the next blocks too.
  Bool isFirst = (block & (kScaleBlocks - 1)) == 0;
  ifThen(isFirst, [&] { bringScales(scale, place, gather, firstBlock + block); });
  auto next = scales.advance(scale);
  scale = {select(isFirst, next.buffer, scale.buffer), select(isFirst, next.parity, scale.parity)};
  return join({operands.advance(operand).getValues(), scale.getValues()});
}

/// Of the block's `block`-th block of K. By one thread or, with `gather`, by all of the warpgroup.
void Kernel::bringOperands(const MbarrierRing::Position &position, const TilePlace &place,
                           const RowGather *gather, const Int &block) {
  Shared buffer = operands.getBuffer(position), barrier = operands.getFull(position);
  auto beginWithWeights = [&] {
    int64_t missing = problem.isGathered() ? tile.getBroughtRows() * 128 : 0;
    operands.beginFill(position, tile.getStageBytes() - missing);
    bringWeights(position, place, firstBlock + block);
  };
  auto bringBoxes = [&] {
    if (int64_t early = countEarly())
      ifThen((place.turn == 0) & (block < early), [] {}, beginWithWeights);
    else
      beginWithWeights();
    if (!problem.isGathered())
      copyBox(buffer, xMap, {((firstBlock + block) * 128).value, place.row.value}, barrier);
  };
  if (!gather)
    return bringBoxes();
  ifThen(RowGather::getThread(b) == 0, bringBoxes);
  // Who brings nothing does not wait: it could miss a phase.
  if (problem.isGathered()) {
    operands.waitEmpty(position);
    gather->bringRows(buffer, firstBlock + block);
    arriveAfterCopies(barrier);
  }
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

/// Of the next kScaleBlocks blocks, by the same threads.
void Kernel::bringScales(const MbarrierRing::Position &position, const TilePlace &place,
                         const RowGather *gather, const Int &block) {
  if (gather) {
    scales.waitEmpty(position);
    gather->bringScales(scales.getBuffer(position), block, kScaleBlocks);
    arriveAfterCopies(scales.getFull(position));
    return;
  }
  scales.beginFill(position, tile.getBroughtRows() * 4 * kScaleBlocks);
  copyBox(scales.getBuffer(position), scaleMap, {block.value, place.row.value},
          scales.getFull(position));
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
  WeightScales::Shape shape{problem.weightRows, problem.k / 128, tile.columns};
  forTiles(start, [&](const TilePlace &place, mlir::ValueRange positions) {
    llvm::SmallVector<Int, 2> weightRows;
    for (int64_t wave = 0; wave < tile.columnWaves; ++wave)
      weightRows.push_back(getWeightRow(place.column, wave));
    WeightScales weightScales(b, frame.getSlot(problem.wScales), shape, place.group, weightRows);
    Values last = multiplyAll(positions, weightScales);
    Values sums(mlir::ValueRange(last).drop_front(4));
    finishTile(place, sums);
    return Values(mlir::ValueRange(last).take_front(4));
  });
  epilogue.finish(lane);
}

/// All blocks of K: the rings' positions behind them, then the sums.
Values Kernel::multiplyAll(mlir::ValueRange positions, const WeightScales &weightScales) {
  Values zeros(countSums(), constantFloat(b, 0));
  Values carried = join({positions, zeros, weightScales.load(firstBlock)});
  int64_t rest = blocks % kScaleBlocks;
  if (blocks > rest)
    carried = forLoop(Int(b, 0), Int(b, blocks - rest), Int(b, kScaleBlocks), carried,
                      [&](Int block, mlir::ValueRange before) {
                        return multiplyBlocks(block, kScaleBlocks, before, weightScales);
                      });
  if (rest)
    carried = multiplyBlocks(Int(b, blocks - rest), rest, carried, weightScales);
  carried.resize(4 + countSums());
  return carried;
}

/// `count` blocks of K from `block` on, whose scales came together.
Values Kernel::multiplyBlocks(const Int &block, int64_t count, mlir::ValueRange carried,
                              const WeightScales &weightScales) {
  Step step{operands.getPosition(carried.take_front(2)),
            scales.getPosition(carried.slice(2, 2)),
            Values(carried.slice(4, countSums())),
            Values(carried.drop_front(4 + countSums())),
            {}};
  for (int64_t turn = 0; turn < count; ++turn) {
    // The next block's scales are on their way while this one is multiplied.
    Int next = block + (turn + 1);
    Values loaded = weightScales.load(firstBlock + min(next, Int(b, blocks - 1)));
    multiplyBlock(step, turn, turn + 1 == count, weightScales);
    step.loaded = loaded;
  }
  return join({step.operand.getValues(), step.scale.getValues(), step.sums, step.loaded});
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
        scales.release(step.scale, isFirst);
    }
    Values promoted = promote(llvm::ArrayRef(factors).slice(2 * rowWave, 2), step.registers,
                              mlir::ValueRange(step.sums).slice(wave * perWave, perWave),
                              columnWave, step.loaded, weightScales);
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
    return storeTile(place, sums);
  ifThen(
      rank == 0,
      [&] {
        storeTile(place, getClusterSums().gather(getThread(b) % (128 * tile.consumers), sums));
      },
      [&] { getClusterSums().send(rank, getThread(b) % (128 * tile.consumers), sums); });
}

ClusterSums Kernel::getClusterSums() const {
  return {gathered, arrived, tile.split, 128 * tile.consumers,
          tile.rows * tile.getTileColumns() * 4};
}

void Kernel::storeTile(const TilePlace &place, mlir::ValueRange sums) {
  Fragment fragment;
  fragment.lane = pin(lane);
  fragment.firstRow = place.row + warpRow;
  fragment.row = fragment.firstRow + (fragment.lane >> 2);
  fragment.column = place.column;
  fragment.limit = place.limit;
  fragment.warp = warp;
  fragment.turn = place.turn;
  fragment.tile = tile;
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
