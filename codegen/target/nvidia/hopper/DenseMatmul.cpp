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

// Tiles that follow each other in rows: they share weights in the second cache.
static constexpr int64_t kRowGroup = 8;
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

bool DenseTile::fits() const {
  // Sums, which an epilogue's values then take the place of.
  constexpr int64_t kSums = 144;
  return rows % (64 * consumers) == 0 && rows <= 256 && columns % 8 == 0 && columns <= 256 &&
         getShape().getWaves() * columns / 2 <= kSums && stages >= 2 &&
         getSharedBytes() <= KernelFrame::kMaxSharedBytes;
}

LaunchShape moec::hopper::getLaunchShape(const DenseTile &tile) {
  LaunchShape shape;
  shape.threads = WarpRoles{tile.consumers}.getThreads();
  shape.maxBlocks = tile.workers;
  return shape;
}

// Microseconds (docs/performance). A block of K costs its copies into one multiprocessor, its share
// of the second cache's rate, or its products, whichever is most.
double moec::hopper::estimateCost(const DenseTile &tile, const DenseSize &size, int64_t workers) {
  double tiles =
      double(llvm::divideCeil(size.m, tile.rows)) * double(llvm::divideCeil(size.n, tile.columns));
  double turns = std::ceil(tiles / double(workers)), busy = std::min<double>(tiles, workers);
  double bytes = tile.getStageBytes(), sums = tile.rows * tile.getTileColumns();
  double own = 0.047 + bytes / 112e3, shared = bytes * busy / 8.4e6;
  double products = 2 * sums * DenseProblem::kBlock / 5.9e6 + (tile.consumers == 1 ? 0.1 : 0);
  double blocks = double(llvm::divideCeil(size.k, DenseProblem::kBlock));
  double finish = sums / 32768 * (tile.staged ? 1.2 : 2);
  double compute = turns * (blocks * std::max({own, shared, products}) + finish);
  double memory = 2 * (double(size.n * size.columnWaves) + double(size.m)) * size.k / 2.85e6;
  // Other tiles of rows find the weight in the second cache, or do not.
  memory *= 1 + 0.04 * std::min(4.0, double(llvm::divideCeil(size.m, tile.rows) - 1));
  return std::max(compute, memory) + 2.5;
}

llvm::SmallVector<DenseTile> moec::hopper::getDenseTiles(const DenseSize &size, int64_t workers) {
  llvm::SmallVector<std::pair<double, DenseTile>> scored;
  for (int64_t rows : {64, 128, 256})
    for (int64_t columns = 32; columns <= 256; columns += columns < 128 ? 8 : 16) {
      // A quantization block is a tile's width.
      if ((size.columnMultiple > 8 && columns != size.columnMultiple) ||
          (size.interleave && size.interleave % columns))
        continue;
      DenseTile tile;
      tile.rows = rows, tile.columns = columns, tile.columnWaves = size.columnWaves;
      tile.consumers = rows == 64 ? 1 : 2;
      tile.workers = workers;
      if (size.canStage && columns % StagedStore::kColumns == 0)
        tile.staged = 2;
      tile.stages = 8;
      while (tile.stages > 2 && !tile.fits())
        --tile.stages;
      if (tile.fits())
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
        roles{tile.consumers}, epilogue(frame, spec, shape, problem.getRows()),
        blocks(problem.countBlocks()), operands(frame, tile.stages, tile.getStageBytes()) {}

  void emit();

private:
  struct Place {
    Int row, column; // of x and of the results
  };

  void start();
  Place getPlace(const Int &index) const;
  /// Calls `body(place, carried)` for each of the block's tiles.
  void forTiles(mlir::ValueRange init,
                llvm::function_ref<Values(const Place &, mlir::ValueRange)> body);

  void produce();
  void prefetchWeights();
  Values bringBlock(const Place &place, const Int &block, mlir::ValueRange position);

  void consume(const Int &warpgroup);
  Values multiplyAll(mlir::ValueRange position, const Int &firstRow);
  Values multiplyBlock(const Shared &buffer, const Int &firstRow, mlir::ValueRange sums);
  void storeTile(const Place &place, const Int &firstRow, mlir::ValueRange sums);

  KernelFrame &frame;
  Builder &b;
  DenseProblem problem;
  DenseTile tile;
  MatmulTile shape;
  WarpRoles roles;
  TileEpilogue epilogue;
  int64_t blocks; // of K
  MbarrierRing operands;
  Value xMap, wMap;
  Int rows, tileRows, numTiles; // M; tiles along M; tiles
  Int warp, lane;               // of a consumer
};

} // namespace

void Kernel::emit() {
  xMap = frame.addTensorMap(problem.getXMap(tile.rows));
  wMap = frame.addTensorMap(problem.getWeightMap(tile.columns));
  start();
  roles.split(b, [&] { produce(); }, [&](Int warpgroup) { consume(warpgroup); });
}

void Kernel::start() {
  ifThen(getThread(b) == 0, [&] {
    operands.init(/*fullArrivals=*/1, roles.getConsumerWarps());
    fenceBarrierInit(b);
    for (Value map : {xMap, wMap})
      prefetchMap(b, map);
    for (Value map : epilogue.getMaps())
      prefetchMap(b, map);
  });
  syncBlock(b);
  if (frame.getShape().earlyLaunch)
    launchDependents(b);
  rows = frame.getDim(problem.rowsDim) * problem.rowsMultiplier;
  tileRows = ceilDiv(rows, tile.rows);
  numTiles = tileRows * llvm::divideCeil(problem.columns, tile.columns);
}

/// Tiles run along `kRowGroup` row tiles, then to the next columns.
Kernel::Place Kernel::getPlace(const Int &index) const {
  int64_t inGroup = llvm::divideCeil(problem.columns, tile.columns) * kRowGroup;
  Int first = index / inGroup * kRowGroup, rest = index % inGroup;
  Int height = min(tileRows - first, Int(b, kRowGroup));
  return {(first + rest % height) * tile.rows, (rest / height) * tile.columns};
}

void Kernel::forTiles(mlir::ValueRange init,
                      llvm::function_ref<Values(const Place &, mlir::ValueRange)> body) {
  forLoop(getBlock(b), numTiles, getNumBlocks(b), init,
          [&](Int index, mlir::ValueRange carried) { return body(getPlace(index), carried); });
}

//===----------------------------------------------------------------------===//
// The producer
//===----------------------------------------------------------------------===//

void Kernel::produce() {
  if (frame.getShape().earlyLaunch) {
    prefetchWeights();
    waitDependencies(b);
  }
  forTiles(operands.getFillerStart().getValues(), [&](const Place &place, mlir::ValueRange at) {
    return forLoop(
        Int(b, 0), Int(b, blocks), Int(b, 1), at,
        [&](Int block, mlir::ValueRange carried) { return bringBlock(place, block, carried); });
  });
}

/// The weight does not depend on the launch before: into the second cache with what the first tile
/// needs of it.
void Kernel::prefetchWeights() {
  ifThen(getBlock(b) < numTiles, [&] {
    Place place = getPlace(getBlock(b));
    forLoop(Int(b, 0), Int(b, std::min(blocks, kPrefetched)), Int(b, 1), [&](Int block) {
      for (int64_t wave = 0; wave < tile.columnWaves; ++wave)
        prefetchBox(
            b, wMap,
            {(block * DenseProblem::kBlock).value, problem.getWeightRow(place.column, wave).value});
    });
  });
}

Values Kernel::bringBlock(const Place &place, const Int &block, mlir::ValueRange position) {
  auto at = operands.getPosition(position);
  operands.beginFill(at, tile.getStageBytes());
  Shared buffer = operands.getBuffer(at), barrier = operands.getFull(at);
  Int k = block * DenseProblem::kBlock;
  copyBox(buffer, xMap, {k.value, place.row.value}, barrier);
  for (int64_t wave = 0; wave < tile.columnWaves; ++wave) {
    Int row = problem.getWeightRow(place.column, wave);
    copyBox(buffer + (tile.rows + wave * tile.columns) * 128, wMap, {k.value, row.value}, barrier);
  }
  return operands.advance(at).getValues();
}

//===----------------------------------------------------------------------===//
// The consumers
//===----------------------------------------------------------------------===//

void Kernel::consume(const Int &warpgroup) {
  Int thread = getThread(b);
  lane = thread & 31;
  warp = broadcast(thread >> 5, 0);
  Int firstRow = warpgroup * (64 * shape.getRowWaves());
  if (frame.getShape().earlyLaunch)
    waitDependencies(b);
  forTiles(operands.getUserStart().getValues(), [&](const Place &place, mlir::ValueRange at) {
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

void Kernel::storeTile(const Place &place, const Int &firstRow, mlir::ValueRange sums) {
  Fragment fragment;
  fragment.lane = pin(lane);
  fragment.firstRow = place.row + firstRow + (warp & 3) * 16;
  fragment.row = fragment.firstRow + (fragment.lane >> 2);
  fragment.column = place.column;
  fragment.limit = rows;
  fragment.warp = warp;
  fragment.tile = shape;
  fragment.sums = Values(sums);
  epilogue.emit(fragment);
}

void moec::hopper::emitDenseMatmul(KernelFrame &frame, const DenseProblem &problem,
                                   const DenseTile &tile, const EpilogueSpec &epilogue) {
  Kernel(frame, problem, tile, epilogue).emit();
}
