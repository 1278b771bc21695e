// Both operands lie in rings of 64 columns of K; a warpgroup's sums stay in its registers over all
// of K. Each warpgroup waits for its own products before it releases a buffer: meanwhile the other
// one's keep the tensor cores busy.
#include "codegen/target/nvidia/hopper/DenseMatmul.h"

#include "codegen/target/nvidia/hopper/MbarrierRing.h"
#include "codegen/target/nvidia/hopper/WarpRoles.h"
#include "codegen/target/nvidia/hopper/WgmmaTile.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>
#include <tuple>

using namespace moec::hopper;

// Blocks of K that are prefetched while the launch before runs.
static constexpr int64_t kPrefetched = 16;

int64_t DenseTile::getSharedBytes() const {
  constexpr int64_t kBarriers = 1024 + 512; // and alignment
  return stages * getStageBytes() + 4 * consumers * staged * StagedStore::kBytes + kBarriers;
}

MatmulTile DenseTile::getShape() const {
  MatmulTile tile;
  tile.rows = rows, tile.columns = columns, tile.columnWaves = columnWaves;
  tile.consumers = consumers, tile.stages = stages, tile.workers = workers, tile.staged = staged;
  return tile;
}

bool DenseTile::fits(int64_t others) const {
  // Sums, which an epilogue's values then take the place of.
  constexpr int64_t kSums = 144;
  return rows % (64 * consumers) == 0 && rows <= 256 && columns % 8 == 0 && columns <= 256 &&
         getShape().getWaves() * columns / 2 <= kSums && stages >= 2 &&
         getSharedBytes() + others <= KernelFrame::kMaxSharedBytes;
}

LaunchShape moec::hopper::getLaunchShape(const DenseTile &tile) {
  LaunchShape shape;
  shape.threads = WarpRoles{tile.consumers}.getThreads();
  shape.maxBlocks = tile.workers;
  return shape;
}

// Microseconds (docs/performance). A block of K costs its copies into one multiprocessor, its share
// of the second cache's rate, or its products, whichever is most.
double moec::hopper::estimateCost(const DenseTile &tile, const MatmulSize &size, int64_t workers) {
  double rowTiles = size.countRowTiles(tile.rows);
  double tiles = rowTiles * double(llvm::divideCeil(size.n, tile.columns));
  double turns = std::ceil(tiles / double(workers)), busy = std::min<double>(tiles, workers);
  double bytes = tile.getStageBytes(), sums = tile.rows * tile.getTileColumns();
  double own = 0.047 + bytes / 112e3, shared = bytes * busy / 8.4e6;
  double products = 2 * sums * DenseProblem::kBlock / 5.9e6 + (tile.consumers == 1 ? 0.1 : 0);
  double blocks = double(llvm::divideCeil(size.k, DenseProblem::kBlock));
  double finish = sums / 32768 * (tile.staged ? 1.2 : 2);
  double compute = turns * (blocks * std::max({own, shared, products}) + finish);
  double weights = size.getActiveGroups() * double(size.n * size.columnWaves);
  double memory = 2 * (weights + double(size.m)) * size.k / 2.85e6;
  // Other tiles of rows find the weight in the second cache, or do not.
  memory *= 1 + 0.04 * std::min(4.0, rowTiles / size.getActiveGroups() - 1);
  double cost = std::max(compute, memory) + 2.5;
  if (size.groups) // blocks do not end together; and what is behind memory is felt
    cost += 0.1 * std::max(0.0, 2 - tiles / double(workers)) * memory + 0.05 * compute;
  return cost;
}

llvm::SmallVector<DenseTile> moec::hopper::getDenseTiles(const MatmulSize &size, int64_t workers) {
  llvm::SmallVector<std::pair<double, DenseTile>> scored;
  for (int64_t rows : {64, 128, 256})
    for (int64_t columns = 32; columns <= 256; columns += columns < 128 ? 8 : 16) {
      // A quantization block is a tile's width.
      if ((size.columnMultiple > 8 && columns != size.columnMultiple) ||
          (size.interleave && size.interleave % columns))
        continue;
      // What brings 256 rows would need more registers than producers have.
      if (size.isGathered && rows > RowGather::kThreads)
        continue;
      DenseTile tile;
      tile.rows = rows, tile.columns = columns, tile.columnWaves = size.columnWaves;
      tile.consumers = rows == 64 ? 1 : 2;
      tile.workers = workers;
      if (size.canStage && columns % StagedStore::kColumns == 0)
        tile.staged = 2;
      tile.stages = 8;
      while (tile.stages > 2 && !tile.fits(size.getTableBytes()))
        --tile.stages;
      if (tile.fits(size.getTableBytes()))
        scored.push_back({estimateCost(tile, size, workers), tile});
    }
  // Among equals the smaller tile.
  llvm::sort(scored, [](const auto &x, const auto &y) {
    auto key = [](const auto &entry) {
      return std::tuple(entry.first, entry.second.rows, entry.second.columns);
    };
    return key(x) < key(y);
  });
  return llvm::SmallVector<DenseTile>(llvm::make_second_range(scored));
}

namespace {

class Kernel {
public:
  Kernel(KernelFrame &frame, const DenseProblem &problem, const DenseTile &tile,
         const EpilogueSpec &spec)
      : frame(frame), b(frame.b), problem(problem), tile(tile), shape(tile.getShape()),
        roles{.consumers = tile.consumers, .manyProducers = problem.isGathered()},
        epilogue(frame, spec, shape, problem.getRows()), blocks(problem.countBlocks()),
        operands(frame, tile.stages, tile.getStageBytes()),
        order(frame, shape, problem.columns, problem.groups) {}

  void emit();

private:
  void start();
  /// Calls `body(place, carried)` for each of the block's tiles.
  void forTiles(mlir::ValueRange init,
                llvm::function_ref<Values(const TilePlace &, mlir::ValueRange)> body);

  void produce();
  void prefetchWeights();
  void bringBlock(const TilePlace &place, const RowGather &gather, const Int &block,
                  const MbarrierRing::Position &at);

  void consume(const Int &warpgroup);
  Values multiplyAll(mlir::ValueRange position, const Int &firstRow);
  Values multiplyBlock(const Shared &buffer, const Int &firstRow, mlir::ValueRange sums);
  void storeTile(const TilePlace &place, const Int &firstRow, mlir::ValueRange sums);

  KernelFrame &frame;
  Builder &b;
  DenseProblem problem;
  DenseTile tile;
  MatmulTile shape;
  WarpRoles roles;
  TileEpilogue epilogue;
  int64_t blocks; // of K
  MbarrierRing operands;
  TileOrder order;
  Value xMap, wMap; // of x: null when threads bring it
  Int numTiles;
  Int warp, lane; // of a consumer
};

} // namespace

void Kernel::emit() {
  if (!problem.isGathered())
    xMap = frame.addTensorMap(problem.getXMap(tile.rows));
  wMap = frame.addTensorMap(problem.getWeightMap(tile.columns));
  start();
  roles.split(b, [&] { produce(); }, [&](Int warpgroup) { consume(warpgroup); });
}

void Kernel::start() {
  ifThen(getThread(b) == 0, [&] {
    operands.init(1 + (problem.isGathered() ? RowGather::kThreads : 0), roles.getConsumerWarps());
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
  syncBlock(b);
  if (frame.getShape().earlyLaunch)
    launchDependents(b);
  numTiles = order.countTiles();
}

void Kernel::forTiles(mlir::ValueRange init,
                      llvm::function_ref<Values(const TilePlace &, mlir::ValueRange)> body) {
  forLoop(getBlock(b), numTiles, getNumBlocks(b), init, [&](Int index, mlir::ValueRange carried) {
    return body(order.getPlace(index), carried);
  });
}

//===----------------------------------------------------------------------===//
// The producer
//===----------------------------------------------------------------------===//

void Kernel::produce() {
  if (frame.getShape().earlyLaunch && !problem.groups) {
    prefetchWeights();
    waitDependencies(b);
  }
  RowGather gather(frame, problem.getRowSource(), tile.rows, RowGather::getThread(b));
  forTiles(operands.getFillerStart().getValues(), [&](const TilePlace &place, mlir::ValueRange at) {
    if (problem.isGathered())
      gather.start(place);
    return forLoop(Int(b, 0), Int(b, blocks), Int(b, 1), at,
                   [&](Int block, mlir::ValueRange carried) {
                     auto position = operands.getPosition(carried);
                     bringBlock(place, gather, block, position);
                     return operands.advance(position).getValues();
                   });
  });
}

/// The weight does not depend on the launch before: into the second cache with what the first tile
/// needs of it.
void Kernel::prefetchWeights() {
  ifThen(getBlock(b) < numTiles, [&] {
    TilePlace place = order.getPlace(getBlock(b));
    forLoop(Int(b, 0), Int(b, std::min(blocks, kPrefetched)), Int(b, 1), [&](Int block) {
      for (int64_t wave = 0; wave < tile.columnWaves; ++wave)
        prefetchBox(
            b, wMap,
            {(block * DenseProblem::kBlock).value, problem.getWeightRow(place, wave).value});
    });
  });
}

/// By one thread or, where rows are scattered, by all of the warpgroup.
void Kernel::bringBlock(const TilePlace &place, const RowGather &gather, const Int &block,
                        const MbarrierRing::Position &at) {
  Shared buffer = operands.getBuffer(at), barrier = operands.getFull(at);
  auto bringBoxes = [&] {
    int64_t missing = problem.isGathered() ? tile.rows * 128 : 0;
    operands.beginFill(at, tile.getStageBytes() - missing);
    Int k = block * DenseProblem::kBlock;
    if (!problem.isGathered())
      copyBox(buffer, xMap, {k.value, place.row.value}, barrier);
    for (int64_t wave = 0; wave < tile.columnWaves; ++wave) {
      Int row = problem.getWeightRow(place, wave);
      copyBox(buffer + (tile.rows + wave * tile.columns) * 128, wMap, {k.value, row.value},
              barrier);
    }
  };
  if (!problem.isGathered())
    return bringBoxes();
  ifThen(RowGather::getThread(b) == 0, bringBoxes);
  operands.waitEmpty(at);
  gather.bringRows(buffer, block);
  arriveAfterCopies(barrier);
}

//===----------------------------------------------------------------------===//
// The consumers
//===----------------------------------------------------------------------===//

void Kernel::consume(const Int &warpgroup) {
  Int thread = getThread(b);
  lane = thread & 31;
  warp = broadcast(thread >> 5, 0);
  Int firstRow = warpgroup * (64 * shape.getRowWaves());
  if (frame.getShape().earlyLaunch && !problem.groups)
    waitDependencies(b);
  forTiles(operands.getUserStart().getValues(), [&](const TilePlace &place, mlir::ValueRange at) {
    Values last = multiplyAll(at, firstRow);
    storeTile(place, firstRow, mlir::ValueRange(last).drop_front(2));
    last.resize(2);
    return last;
  });
  epilogue.finish(lane);
}

/// All blocks of K: the ring's position behind them, then the sums.
Values Kernel::multiplyAll(mlir::ValueRange position, const Int &firstRow) {
  Values init(position);
  init.append(shape.getWaves() * tile.columns / 2, constantFloat(b, 0));
  return forLoop(Int(b, 0), Int(b, blocks), Int(b, 1), init, [&](Int, mlir::ValueRange carried) {
    auto at = operands.getPosition(carried.take_front(2));
    operands.waitFull(at);
    Values sums = multiplyBlock(operands.getBuffer(at), firstRow, carried.drop_front(2));
    operands.release(at, lane == 0);
    Values next = operands.advance(at).getValues();
    llvm::append_range(next, sums);
    return next;
  });
}

Values Kernel::multiplyBlock(const Shared &buffer, const Int &firstRow, mlir::ValueRange sums) {
  WgmmaTile product(b, Operand::BFloat16, tile.columns);
  Value x = product.describe(buffer + firstRow * 128);
  Value w = product.describe(buffer + tile.rows * 128);
  size_t perWave = tile.columns / 2;
  if (problem.isGathered())
    fenceCopies(b); // what threads wrote is read by the products
  fenceProducts(b);
  Values running;
  for (int64_t wave = 0; wave < shape.getWaves(); ++wave) {
    int64_t rowWave = wave / tile.columnWaves, columnWave = wave % tile.columnWaves;
    Value under = product.add(product.skipRows(x, 64 * rowWave),
                              product.skipRows(w, tile.columns * columnWave),
                              makeStruct(b, sums.slice(wave * perWave, perWave)));
    llvm::append_range(running, getMembers(b, under));
  }
  commitProducts(b);
  return waitProducts(b, 0, running);
}

void Kernel::storeTile(const TilePlace &place, const Int &firstRow, mlir::ValueRange sums) {
  Fragment fragment;
  fragment.lane = pin(lane);
  fragment.firstRow = place.row + firstRow + (warp & 3) * 16;
  fragment.row = fragment.firstRow + (fragment.lane >> 2);
  fragment.column = place.column;
  fragment.limit = place.limit;
  fragment.warp = warp;
  fragment.tile = shape;
  fragment.sums = Values(sums);
  epilogue.emit(fragment);
}

void moec::hopper::emitDenseMatmul(KernelFrame &frame, const DenseProblem &problem,
                                   const DenseTile &tile, const EpilogueSpec &epilogue) {
  Kernel(frame, problem, tile, epilogue).emit();
}
