#include "codegen/target/nvidia/hopper/BlockScaledMatmul.h"

#include "codegen/target/nvidia/hopper/Cluster.h"
#include "codegen/target/nvidia/hopper/MbarrierRing.h"
#include "codegen/target/nvidia/hopper/WarpRoles.h"
#include "codegen/target/nvidia/hopper/WgmmaTile.h"

#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace moec::hopper;

// x's scales come in boxes of as many blocks of K as 16 bytes hold.
static constexpr int64_t kScaleBlocks = 4;
// Blocks of K that are prefetched while the launch before runs.
static constexpr int64_t kPrefetched = 16;

std::optional<std::string> BlockScaledProblem::refuse() const {
  if (k % (128 * kScaleBlocks))
    return "K = " + std::to_string(k) + " is no multiple of 512";
  if (columns % 8)
    return "N = " + std::to_string(columns) + " is no multiple of 8";
  return std::nullopt;
}

LaunchShape moec::hopper::getLaunchShape(const MatmulTile &tile) {
  LaunchShape shape;
  shape.threads = WarpRoles{tile.consumers}.getThreads();
  shape.cluster = tile.split;
  shape.maxBlocks = tile.split > 1 ? 0 : tile.workers; // what a cluster gathers, it gathers once
  return shape;
}

namespace {

/// The scales of the weight that a tile's columns need in one block of K. A wave's columns touch
/// one, two or three rows of scales; which ones depends on the tile, but columns of one group of
/// gcd(columns, 128) share theirs.
class WeightScales {
public:
  WeightScales(Builder &b, const Global &scales, const BlockScaledProblem &problem,
               const MatmulTile &tile, llvm::ArrayRef<Int> firstRows)
      : b(&b), group(std::gcd(tile.columns, int64_t(128))),
        rowsPerWave(1 + (256 - group - 1 + tile.columns - 128) / 128) {
    int64_t last = llvm::divideCeil(problem.weightRows, 128) - 1;
    for (const Int &row : firstRows) {
      for (int64_t i = 0; i < rowsPerWave; ++i)
        lines.push_back(scales.at(min((row >> 7) + i, Int(b, last)), problem.k / 128 * 4));
      offsets.push_back(row & 127);
    }
  }

  /// Of block `block`, one value a row of scales.
  Values load(const Int &block) const {
    Values values;
    for (const Global &line : lines)
      values.push_back(moec::hopper::load(line + block * 4, b->getF32Type(), 4, /*constant=*/true));
    return values;
  }

  int64_t countGroups(int64_t columns) const { return columns / group; }
  int64_t getGroup(int64_t block) const { return block * 8 / group; }

  /// What `load` gave for column group `g` of wave `wave`.
  Value get(mlir::ValueRange loaded, int64_t wave, int64_t g) const {
    int64_t low = g * group / 128, high = (128 - group + g * group) / 128;
    Value first = loaded[wave * rowsPerWave + low];
    if (low == high)
      return first;
    Bool isNext = offsets[wave] + g * group >= 128 * high;
    return select(isNext, loaded[wave * rowsPerWave + high], first);
  }

private:
  Builder *b;
  int64_t group, rowsPerWave;
  llvm::SmallVector<Global> lines; // [wave][row]
  llvm::SmallVector<Int> offsets;  // of each wave's first column in its row of scales
};

class Kernel {
public:
  Kernel(KernelFrame &frame, const BlockScaledProblem &problem, const MatmulTile &tile,
         const EpilogueSpec &spec)
      : frame(frame), b(frame.b), problem(problem), tile(tile), roles{tile.consumers},
        epilogue(frame, spec, tile, problem.getRows()), blocks(problem.k / 128 / tile.split),
        operands(frame, tile.stages, tile.getStageBytes()),
        scales(frame, 2, tile.rows * 4 * kScaleBlocks) {
    int64_t bytes = tile.rows * tile.getTileColumns() * 4;
    if (tile.split > 1) {
      gathered = frame.allocate((tile.split - 1) * bytes, 16);
      arrived = frame.allocate(8, 8);
    }
  }

  void emit();

private:
  struct Place {
    Int row, column; // of x and of the results
  };

  void addMaps();
  void start();
  Place getPlace(const Int &index) const;
  Int getWeightRow(const Int &column, int64_t wave) const;
  /// Calls `body(place, carried)` for each of the block's tiles.
  void forTiles(mlir::ValueRange init,
                llvm::function_ref<Values(const Place &, mlir::ValueRange)> body);

  void produce();
  void prefetchWeights();
  Values bringBlock(const Place &place, const Int &block, mlir::ValueRange positions);

  void consume(const Int &warpgroup);
  /// One block of K; `sums` go on, `loaded` are the weight's scales.
  struct Step {
    MbarrierRing::Position operand, scale;
    Values sums, loaded;
    Values registers; // of the last product
  };
  Values multiplyAll(mlir::ValueRange positions, const WeightScales &weightScales);
  void multiplyBlock(Step &step, int64_t turn, const WeightScales &weightScales);
  void finishTile(const Place &place, mlir::ValueRange sums);
  Shared getGathered(const Int &from, int64_t quad) const;
  void send(mlir::ValueRange sums) const;
  Values gather(mlir::ValueRange sums) const;
  void storeTile(const Place &place, mlir::ValueRange sums);
  Values promote(llvm::ArrayRef<Value> factors, mlir::ValueRange product, mlir::ValueRange sums,
                 int64_t columnWave, mlir::ValueRange loaded, const WeightScales &weightScales);

  KernelFrame &frame;
  Builder &b;
  BlockScaledProblem problem;
  MatmulTile tile;
  WarpRoles roles;
  TileEpilogue epilogue;
  int64_t blocks; // of K, of each block of a cluster
  MbarrierRing operands, scales;
  Value xMap, wMap, scaleMap;
  Int rows, tileRows, numTiles; // M; tiles along M; tiles
  Int warp, lane, warpRow;      // of a consumer; its warp's first row in the tile
  Int rank, firstBlock;         // in the cluster; of K
  Shared gathered, arrived;     // sums of the cluster's other blocks, and their barrier
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
  xMap = frame.addTensorMap(TensorMap::ofOperand(problem.xCodes, problem.k, problem.getRows(),
                                                 static_cast<uint32_t>(tile.rows)));
  wMap = frame.addTensorMap(TensorMap::ofOperand(problem.wCodes, problem.k,
                                                 Extent::of(problem.weightRows),
                                                 static_cast<uint32_t>(tile.columns)));
  TensorMap map;
  map.slot = problem.xScales;
  map.element = TensorMap::Element::Float32;
  uint64_t allBlocks = problem.k / 128;
  map.sizes = {Extent::of(allBlocks), problem.getRows()};
  map.strides = {4 * allBlocks};
  map.box = {kScaleBlocks, static_cast<uint32_t>(tile.rows)};
  scaleMap = frame.addTensorMap(map);
}

void Kernel::start() {
  ifThen(getThread(b) == 0, [&] {
    operands.init(/*fullArrivals=*/1, roles.getConsumerWarps());
    scales.init(/*fullArrivals=*/1, roles.getConsumerWarps());
    if (tile.split > 1) {
      initBarrier(arrived, 1);
      arriveExpecting(arrived, Int(b, (tile.split - 1) * tile.rows * tile.getTileColumns() * 4));
    }
    fenceBarrierInit(b);
    for (Value map : {xMap, wMap, scaleMap})
      prefetchMap(b, map);
    for (Value map : epilogue.getMaps())
      prefetchMap(b, map);
  });
  Cluster{tile.split}.meet(b);
  rank = tile.split > 1 ? getClusterRank(b) : Int(b, 0);
  firstBlock = rank * blocks;
  if (frame.getShape().earlyLaunch)
    launchDependents(b);
  rows = frame.getDim(problem.rowsDim) * problem.rowsMultiplier;
  tileRows = ceilDiv(rows, tile.rows);
  numTiles = tileRows * llvm::divideCeil(problem.columns, tile.columns);
}

/// Tiles run along `rowGroup` row tiles, then to the next columns: what is in flight shares weights
/// and x.
Kernel::Place Kernel::getPlace(const Int &index) const {
  int64_t tileColumns = llvm::divideCeil(problem.columns, tile.columns);
  Int group = index / (tileColumns * tile.rowGroup),
      inGroup = index % (tileColumns * tile.rowGroup);
  Int first = group * tile.rowGroup;
  Int height = min(tileRows - first, Int(b, tile.rowGroup));
  return {(first + inGroup % height) * tile.rows, (inGroup / height) * tile.columns};
}

Int Kernel::getWeightRow(const Int &column, int64_t wave) const {
  if (problem.interleave)
    return (column / problem.interleave) * (tile.columnWaves * problem.interleave) +
           column % problem.interleave + wave * problem.interleave;
  return column + wave * problem.columns;
}

void Kernel::forTiles(mlir::ValueRange init,
                      llvm::function_ref<Values(const Place &, mlir::ValueRange)> body) {
  forLoop(getBlock(b) / tile.split, numTiles, getNumBlocks(b) / tile.split, init,
          [&](Int index, mlir::ValueRange carried) { return body(getPlace(index), carried); });
}

static Values join(llvm::ArrayRef<mlir::ValueRange> ranges) {
  Values all;
  for (mlir::ValueRange range : ranges)
    llvm::append_range(all, range);
  return all;
}

//===----------------------------------------------------------------------===//
// The producer
//===----------------------------------------------------------------------===//

void Kernel::produce() {
  if (frame.getShape().earlyLaunch) {
    prefetchWeights();
    waitDependencies(b);
  }
  Values init = join({operands.getFillerStart().getValues(), scales.getFillerStart().getValues()});
  forTiles(init, [&](const Place &place, mlir::ValueRange positions) {
    return forLoop(
        Int(b, 0), Int(b, blocks), Int(b, 1), positions,
        [&](Int block, mlir::ValueRange carried) { return bringBlock(place, block, carried); });
  });
}

/// The weight does not depend on the launch before: into the second cache with what the first tile
/// needs of it.
void Kernel::prefetchWeights() {
  ifThen(getBlock(b) / tile.split < numTiles, [&] {
    Place place = getPlace(getBlock(b) / tile.split);
    forLoop(Int(b, 0), Int(b, std::min(blocks, kPrefetched)), Int(b, 1), [&](Int block) {
      for (int64_t wave = 0; wave < tile.columnWaves; ++wave)
        prefetchBox(b, wMap,
                    {((firstBlock + block) * 128).value, getWeightRow(place.column, wave).value});
    });
  });
}

Values Kernel::bringBlock(const Place &place, const Int &block, mlir::ValueRange positions) {
  auto operand = operands.getPosition(positions.take_front(2));
  Values scalePosition(positions.drop_front(2));

  operands.beginFill(operand, tile.getStageBytes());
  Shared buffer = operands.getBuffer(operand), barrier = operands.getFull(operand);
  Int k = (firstBlock + block) * 128;
  copyBox(buffer, xMap, {k.value, place.row.value}, barrier);
  for (int64_t wave = 0; wave < tile.columnWaves; ++wave) {
    Int row = getWeightRow(place.column, wave);
    copyBox(buffer + (tile.rows + wave * tile.columns) * 128, wMap, {k.value, row.value}, barrier);
  }

  // A box of scales serves the next blocks too.
  auto scale = scales.getPosition(scalePosition);
  auto next = scales.advance(scale);
  Bool isFirst = (block & (kScaleBlocks - 1)) == 0;
  ifThen(isFirst, [&] {
    scales.beginFill(scale, tile.rows * 4 * kScaleBlocks);
    copyBox(scales.getBuffer(scale), scaleMap, {(firstBlock + block).value, place.row.value},
            scales.getFull(scale));
  });
  scale = {select(isFirst, next.buffer, scale.buffer), select(isFirst, next.parity, scale.parity)};
  return join({operands.advance(operand).getValues(), scale.getValues()});
}

//===----------------------------------------------------------------------===//
// The consumers
//===----------------------------------------------------------------------===//

void Kernel::consume(const Int &warpgroup) {
  Int thread = getThread(b);
  lane = thread & 31;
  warp = broadcast(thread >> 5, 0);
  warpRow = warpgroup * (64 * tile.getRowWaves()) + (warp & 3) * 16;
  if (frame.getShape().earlyLaunch)
    waitDependencies(b);
  Values start = join({operands.getUserStart().getValues(), scales.getUserStart().getValues()});
  forTiles(start, [&](const Place &place, mlir::ValueRange positions) {
    llvm::SmallVector<Int, 2> weightRows;
    for (int64_t wave = 0; wave < tile.columnWaves; ++wave)
      weightRows.push_back(getWeightRow(place.column, wave));
    WeightScales weightScales(b, frame.getSlot(problem.wScales), problem, tile, weightRows);
    Values last = multiplyAll(positions, weightScales);
    Values sums(mlir::ValueRange(last).drop_front(4));
    finishTile(place, sums);
    return Values(mlir::ValueRange(last).take_front(4));
  });
  epilogue.finish(lane);
}

/// All blocks of K: the rings' positions behind them, then the sums.
Values Kernel::multiplyAll(mlir::ValueRange positions, const WeightScales &weightScales) {
  size_t numSums = tile.getWaves() * tile.columns / 2;
  Values zeros(numSums, constantFloat(b, 0));
  Values init = join({positions, zeros, weightScales.load(firstBlock)});
  Values last = forLoop(
      Int(b, 0), Int(b, blocks), Int(b, kScaleBlocks), init,
      [&](Int block, mlir::ValueRange carried) {
        Step step{operands.getPosition(carried.take_front(2)),
                  scales.getPosition(carried.slice(2, 2)),
                  Values(carried.slice(4, numSums)),
                  Values(carried.drop_front(4 + numSums)),
                  {}};
        for (int64_t turn = 0; turn < kScaleBlocks; ++turn) {
          // The next block's scales are on their way while this one is multiplied.
          Int next = block + (turn + 1);
          Values loaded = weightScales.load(firstBlock + min(next, Int(b, blocks - 1)));
          multiplyBlock(step, turn, weightScales);
          step.loaded = loaded;
        }
        return join({step.operand.getValues(), step.scale.getValues(), step.sums, step.loaded});
      });
  last.resize(4 + numSums);
  return last;
}

void Kernel::multiplyBlock(Step &step, int64_t turn, const WeightScales &weightScales) {
  if (turn == 0)
    scales.waitFull(step.scale);
  bool isLastTurn = turn + 1 == kScaleBlocks;
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
  Value w = product.describe(buffer + tile.rows * 128);
  operands.waitFull(step.operand);

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
  if (isLastTurn)
    step.scale = scales.advance(step.scale);
}

void Kernel::finishTile(const Place &place, mlir::ValueRange sums) {
  if (tile.split == 1)
    return storeTile(place, sums);
  ifThen(rank == 0, [&] { storeTile(place, gather(sums)); }, [&] { send(sums); });
}

/// Where register quad `quad` of the sums of block `from` of the cluster lies.
Shared Kernel::getGathered(const Int &from, int64_t quad) const {
  int64_t threads = 128 * tile.consumers;
  int64_t perBlock = tile.rows * tile.getTileColumns() * 4;
  return gathered + ((from - 1) * perBlock + getThread(b) % threads * 16 + quad * threads * 16);
}

/// To the cluster's first block.
void Kernel::send(mlir::ValueRange sums) const {
  for (size_t i = 0; i < sums.size(); i += 4)
    storeInCluster(getGathered(rank, i / 4), Int(b, 0), sums.slice(i, 4), arrived);
}

/// Adds the other blocks' sums, in their order.
Values Kernel::gather(mlir::ValueRange sums) const {
  waitBarrier(arrived, Int(b, 0));
  Values total(sums);
  auto vector = mlir::VectorType::get(4, b.getF32Type());
  for (int64_t from = 1; from < tile.split; ++from)
    for (size_t i = 0; i < total.size(); i += 4) {
      Values other = getElements(b, load(getGathered(Int(b, from), i / 4), vector, 16));
      for (size_t e = 0; e < 4; ++e)
        total[i + e] = addFloat(b, total[i + e], other[e]);
    }
  return total;
}

void Kernel::storeTile(const Place &place, mlir::ValueRange sums) {
  Fragment fragment;
  fragment.lane = pin(lane);
  fragment.firstRow = place.row + warpRow;
  fragment.row = fragment.firstRow + (fragment.lane >> 2);
  fragment.column = place.column;
  fragment.limit = rows;
  fragment.warp = warp;
  fragment.tile = tile;
  fragment.sums = Values(sums);
  epilogue.emit(fragment);
}

/// sums + product * both scales. `factors`: x's, of either half.
Values Kernel::promote(llvm::ArrayRef<Value> factors, mlir::ValueRange product,
                       mlir::ValueRange sums, int64_t columnWave, mlir::ValueRange loaded,
                       const WeightScales &weightScales) {
  llvm::SmallVector<std::array<Value, 2>> scale; // [group][half]
  for (int64_t g = 0; g < weightScales.countGroups(tile.columns); ++g) {
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
