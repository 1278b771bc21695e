// The first buffers' weights are on their way before the wait for the launch before, x behind it.
// Sums pass through shared memory: there a token's columns are neighbours, as its results are.
#include "codegen/target/nvidia/hopper/DenseRing.h"

#include "codegen/target/nvidia/hopper/Cluster.h"
#include "codegen/target/nvidia/hopper/ClusterSums.h"
#include "codegen/target/nvidia/hopper/MbarrierRing.h"
#include "codegen/target/nvidia/hopper/NormRows.h"
#include "codegen/target/nvidia/hopper/WarpRoles.h"
#include "codegen/target/nvidia/hopper/WgmmaTile.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>
#include <tuple>

using namespace moec::hopper;

// Sums of a token lie this much longer apart than its columns, so that what a warp stores at once
// falls into different banks.
static constexpr int64_t kPadding = 4;

// Tiles of as many tokens follow each other before the next rows of the weight: more than there
// are.
static constexpr int64_t kTokenGroup = 256 / 8;

/// f32 of a token's sums in shared memory.
static int64_t getWidth(const DenseRingTile &tile, int64_t columnWaves) {
  return tile.rows * columnWaves + kPadding;
}

/// What the cluster's other blocks send to the first one.
static int64_t getGatheredBytes(const DenseRingTile &tile, int64_t columnWaves) {
  return (tile.split - 1) * tile.getSums(columnWaves) * 128 * tile.consumers * 4;
}

/// A cluster's blocks have one tile each: its sums take the ring's place, once nothing comes any
/// more.
static bool reusesRing(const DenseRingTile &tile) { return tile.split > 1; }

int64_t DenseRingTile::getSharedBytes(int64_t columnWaves) const {
  constexpr int64_t kBarriers = 1024 + 512; // and alignment
  int64_t ring = stages * getStageBytes(columnWaves);
  int64_t finished = tokens * getWidth(*this, columnWaves) * 4;
  return (reusesRing(*this) ? std::max(ring, finished) : ring + finished) +
         getGatheredBytes(*this, columnWaves) + kBarriers;
}

bool DenseRingTile::fits(const MatmulSize &size) const {
  int64_t sharedBytes = getSharedBytes(size.columnWaves) + size.getTableBytes() + 1024;
  if (size.normalises)
    sharedBytes += NormRows::getSharedBytes(size.k);
  int64_t steps = llvm::divideCeil(size.k, boxes * DenseProblem::kBlock);
  int64_t perBlock = llvm::divideCeil(steps, split);
  int64_t sums = blocks == 1 ? 128 : 64;
  return rows % (64 * consumers) == 0 && rows <= 256 && tokens % 8 == 0 && tokens <= 256 &&
         stages >= 2 && steps > perBlock * (split - 1) && getSums(size.columnWaves) <= sums &&
         blocks * sharedBytes <= KernelFrame::kMaxSharedBytes + 1024;
}

LaunchShape moec::hopper::getLaunchShape(const DenseRingTile &tile) {
  LaunchShape shape;
  shape.threads = WarpRoles{tile.consumers}.getThreads();
  shape.cluster = tile.split;
  shape.minBlocks = tile.blocks;
  // What a cluster gathers, it gathers once.
  shape.maxBlocks = tile.split > 1 ? 0 : tile.workers * tile.blocks;
  return shape;
}

// Microseconds (docs/performance): memory at the rate that as many bytes on their way sustain, or
// the copies into one multiprocessor, whichever is more. What is on its way arrives within 1.65.
double moec::hopper::estimateCost(const DenseRingTile &tile, const MatmulSize &size,
                                  int64_t workers) {
  double waves = size.columnWaves, perStage = tile.getStageBytes(size.columnWaves);
  double tokenTiles = size.countRowTiles(tile.tokens), groups = size.getActiveGroups();
  double tiles = tokenTiles * double(llvm::divideCeil(size.n, tile.rows)) * tile.split;
  double steps = double(llvm::divideCeil(size.k, tile.boxes * DenseProblem::kBlock)) / tile.split;
  double ring = std::min(steps, double(tile.stages)) * perStage;
  double busy = std::min(tiles, double(workers * tile.blocks));
  double rate =
      3.12e6 * std::pow(std::min(1.0, busy * ring / 24e6), 0.07) * std::pow(0.95, tile.blocks - 1);
  double memory = 2 * (groups * double(size.n) * waves + double(size.m)) * size.k / rate;
  // Weights that another tile of tokens reads too come out of the second cache, or do not.
  double again = tokenTiles / groups - 1;
  memory *= 1 + 0.04 * again;
  // Blocks of a launch are dealt out to multiprocessors before any gets a second one.
  double together = std::min<double>(std::ceil(busy / double(workers)), tile.blocks);
  double share = std::ceil(tiles / double(workers)); // tiles of a multiprocessor
  double copies = 0.9 + share * steps * perStage / std::min(95e3, ring * together / 1.65);
  double products = share * steps * tile.boxes * tile.rows * waves * tile.tokens * 128 / 4.6e6;
  double finish = 0.004 * double(tile.tokens * tile.rows) * share / 64;
  double gather = double(tile.split - 1) * (0.05 + 0.008 * double(tile.tokens * tile.rows) / 64);
  double most = std::max({memory, copies, products});
  return most + 0.1 * std::min(memory, copies) + finish + gather + 1.1 + 0.4 * std::min(again, 1.0);
}

/// As many buffers as fit.
static DenseRingTile makeTile(int64_t tokens, int64_t rows, int64_t split, int64_t blocks,
                              const MatmulSize &size) {
  DenseRingTile tile;
  tile.tokens = tokens, tile.rows = rows, tile.split = split, tile.blocks = blocks;
  tile.consumers = rows == 64 || blocks > 1 ? 1 : 2;
  tile.boxes = rows * size.columnWaves > 128 || tokens > 64 ? 1 : 2;
  if (size.isGathered && size.k % (2 * DenseProblem::kBlock))
    tile.boxes = 1; // threads bring no zeros behind a row's end
  tile.stages = 16;
  while (tile.stages > 2 && !tile.fits(size))
    --tile.stages;
  return tile;
}

llvm::SmallVector<DenseRingTile> moec::hopper::getDenseRingTiles(const MatmulSize &size,
                                                                 int64_t workers) {
  llvm::SmallVector<std::pair<double, DenseRingTile>> scored;
  double inGroup = size.getGroupRows();
  if (inGroup > 256 || size.columnMultiple > 8)
    return {};
  for (int64_t tokens : {8, 16, 32, 64, 128, 256})
    for (int64_t rows : {64, 128})
      for (int64_t split : {1, 2, 4, 8})
        for (int64_t blocks : {1, 2}) {
          if ((size.interleave && size.interleave % rows) || (tokens > 8 && tokens >= 2 * inGroup))
            continue;
          // Which groups there are only the device knows; and producers have few registers.
          if ((size.groups && split > 1) || (size.isGathered && tokens > RowGather::kThreads))
            continue;
          // A cluster gathers sums once: only where all tiles run at the same time.
          int64_t tiles = llvm::divideCeil(size.m, tokens) * llvm::divideCeil(size.n, rows);
          if (split > 1 && tiles * split > workers * blocks)
            continue;
          DenseRingTile tile = makeTile(tokens, rows, split, blocks, size);
          tile.workers = workers;
          if (tile.fits(size))
            scored.push_back({estimateCost(tile, size, workers), tile});
        }
  llvm::sort(scored, [](const auto &x, const auto &y) {
    auto key = [](const auto &entry) {
      const DenseRingTile &tile = entry.second;
      return std::tuple(entry.first, tile.split, tile.tokens, tile.rows, tile.blocks);
    };
    return key(x) < key(y);
  });
  return llvm::SmallVector<DenseRingTile>(llvm::make_second_range(scored));
}

/// Tiles of the same weights follow each other: they share these in the second cache.
static MatmulTile getOrdered(const DenseRingTile &tile) {
  MatmulTile ordered;
  ordered.rows = tile.tokens, ordered.columns = tile.rows;
  ordered.rowGroup = kTokenGroup;
  return ordered;
}

namespace {

class Kernel {
public:
  Kernel(KernelFrame &frame, const DenseProblem &problem, const DenseRingTile &tile,
         const EpilogueSpec &spec)
      : frame(frame), b(frame.b), problem(problem), tile(tile),
        roles{.consumers = tile.consumers, .manyProducers = problem.isGathered()},
        epilogue(frame, spec, MatmulTile(), problem.getRows()), waves(spec.gated ? 2 : 1),
        steps(llvm::divideCeil(problem.k, tile.boxes * DenseProblem::kBlock)),
        perBlock(llvm::divideCeil(steps, tile.split)), width(getWidth(tile, waves)),
        ring(frame, tile.stages, tile.getStageBytes(waves)),
        order(frame, getOrdered(tile), problem.columns, problem.groups) {
    if (reusesRing(tile))
      finished = ring.getBuffer(ring.getUserStart());
    else
      finished = frame.allocate(tile.tokens * width * 4, 16);
    if (problem.norm)
      norm.emplace(frame, problem, 128 * tile.consumers);
    if (tile.split > 1) {
      gathered = frame.allocate(getGatheredBytes(tile, waves), 16);
      arrived = frame.allocate(8, 8);
    }
  }

  void emit();

private:
  void start();
  void forTiles(mlir::ValueRange init, llvm::function_ref<Values(Int, mlir::ValueRange)> body);

  void produce();
  void bringFirst(int64_t ahead);
  void bringStep(const TilePlace &place, const RowGather &gather, const Int &step,
                 const MbarrierRing::Position &at) const;
  void bringWeights(const TilePlace &place, const Int &step,
                    const MbarrierRing::Position &at) const;
  void bringX(const TilePlace &place, const Int &step, const MbarrierRing::Position &at) const;
  Shared getX(const MbarrierRing::Position &at, int64_t box) const;

  void consume(const Int &warpgroup);
  Values multiplyAll(mlir::ValueRange position, const Int &firstRow);
  Values multiplyStep(const Shared &buffer, const Int &firstRow, mlir::ValueRange sums) const;
  ClusterSums getClusterSums() const;
  void keepSums(const Int &firstRow, mlir::ValueRange sums) const;
  void finishTile(const TilePlace &place) const;

  KernelFrame &frame;
  Builder &b;
  DenseProblem problem;
  DenseRingTile tile;
  WarpRoles roles;
  TileEpilogue epilogue;
  int64_t waves;    // 2: gates and what they gate
  int64_t steps;    // buffers that K fills
  int64_t perBlock; // of a cluster, but for the last one, which may have fewer
  int64_t width;
  MbarrierRing ring;
  TileOrder order;
  std::optional<NormRows> norm;
  Shared finished;          // f32 [tokens][width]: [wave][row of the tile]
  Shared gathered, arrived; // sums of the cluster's other blocks, and their barrier
  Value xMap, wMap;         // of x: null when threads bring it
  Int numTiles;
  Int rank, firstStep, numSteps; // in the cluster; of K, of this block
  Int warp, lane;
};

} // namespace

//===----------------------------------------------------------------------===//
// Both roles
//===----------------------------------------------------------------------===//

void Kernel::emit() {
  if (!problem.isGathered())
    xMap = frame.addTensorMap(problem.getXMap(tile.tokens));
  wMap = frame.addTensorMap(problem.getWeightMap(tile.rows));
  start();
  roles.split(b, [&] { produce(); }, [&](Int warpgroup) { consume(warpgroup); });
}

void Kernel::start() {
  if (frame.getShape().earlyLaunch)
    launchDependents(b);
  ifThen(getThread(b) == 0, [&] {
    ring.init(1 + (problem.isGathered() ? RowGather::kThreads : 0), roles.getConsumerWarps());
    if (tile.split > 1) {
      initBarrier(arrived, 1);
      arriveExpecting(arrived, Int(b, getGatheredBytes(tile, waves)));
    }
    fenceBarrierInit(b);
    for (Value map : {xMap, wMap})
      if (map)
        prefetchMap(b, map);
  });
  if (problem.groups && frame.getShape().earlyLaunch)
    waitDependencies(b); // which tiles there are was decided before
  order.start(problem.groups ? Int() : frame.getDim(problem.rowsDim) * problem.rowsMultiplier);
  Cluster{tile.split}.meet(b);
  rank = tile.split > 1 ? getClusterRank(b) : Int(b, 0);
  firstStep = rank * perBlock;
  numSteps = min(Int(b, perBlock), Int(b, steps) - firstStep);
  numTiles = order.countTiles();
}

void Kernel::forTiles(mlir::ValueRange init,
                      llvm::function_ref<Values(Int, mlir::ValueRange)> body) {
  forLoop(getBlock(b) / tile.split, numTiles, getNumBlocks(b) / tile.split, init, body);
}

//===----------------------------------------------------------------------===//
// The producer
//===----------------------------------------------------------------------===//

void Kernel::produce() {
  int64_t last = steps - perBlock * (tile.split - 1); // steps of the cluster's last block
  int64_t ahead = problem.groups ? 0 : std::min(tile.stages, last);
  Int firstTile = getBlock(b) / tile.split;
  if (ahead)
    bringFirst(ahead);

  RowGather gather(frame, problem.getRowSource(), tile.tokens, RowGather::getThread(b));
  MbarrierRing::Position behind{Int(b, ahead % tile.stages), Int(b, ahead == tile.stages ? 0 : 1)};
  forTiles(behind.getValues(), [&](Int index, mlir::ValueRange position) {
    TilePlace place = order.getPlace(index);
    if (problem.isGathered())
      gather.start(place);
    Int begin = select(index == firstTile, Int(b, ahead), Int(b, 0));
    return forLoop(begin, numSteps, Int(b, 1), position, [&](Int step, mlir::ValueRange carried) {
      auto at = ring.getPosition(carried);
      bringStep(place, gather, firstStep + step, at);
      return ring.advance(at).getValues();
    });
  });
}

/// Of the first tile, weights for `ahead` buffers come before everything else.
void Kernel::bringFirst(int64_t ahead) {
  Int firstTile = getBlock(b) / tile.split;
  auto walk = [&](const auto &body) {
    ifThen(firstTile < numTiles, [&] {
      MbarrierRing::Position at = ring.getFillerStart();
      TilePlace place = order.getPlace(firstTile);
      for (int64_t step = 0; step < ahead; ++step) {
        body(place, firstStep + step, at);
        at = {Int(b, (step + 1) % tile.stages), Int(b, step + 1 == tile.stages ? 0 : 1)};
      }
    });
  };
  walk([&](const TilePlace &place, const Int &step, const MbarrierRing::Position &at) {
    arriveExpecting(ring.getFull(at), Int(b, tile.getStageBytes(waves)));
    bringWeights(place, step, at);
  });
  if (frame.getShape().earlyLaunch)
    waitDependencies(b);
  walk([&](const TilePlace &place, const Int &step, const MbarrierRing::Position &at) {
    bringX(place, step, at);
  });
}

/// By one thread or, where rows are scattered, by all of the warpgroup.
void Kernel::bringStep(const TilePlace &place, const RowGather &gather, const Int &step,
                       const MbarrierRing::Position &at) const {
  auto bringBoxes = [&] {
    int64_t missing = problem.isGathered() ? tile.boxes * tile.tokens * 128 : 0;
    ring.beginFill(at, tile.getStageBytes(waves) - missing);
    bringWeights(place, step, at);
    if (!problem.isGathered())
      bringX(place, step, at);
  };
  if (!problem.isGathered())
    return bringBoxes();
  ifThen(RowGather::getThread(b) == 0, bringBoxes);
  ring.waitEmpty(at);
  for (int64_t box = 0; box < tile.boxes; ++box)
    gather.bringRows(getX(at, box), step * tile.boxes + box);
  arriveAfterCopies(ring.getFull(at));
}

/// A buffer: [wave][box] rows of the weight, then [box] tokens.
Shared Kernel::getX(const MbarrierRing::Position &at, int64_t box) const {
  return ring.getBuffer(at) + (waves * tile.boxes * tile.rows + box * tile.tokens) * 128;
}

void Kernel::bringWeights(const TilePlace &place, const Int &step,
                          const MbarrierRing::Position &at) const {
  for (int64_t wave = 0; wave < waves; ++wave) {
    Int row = problem.getWeightRow(place, wave);
    for (int64_t box = 0; box < tile.boxes; ++box) {
      Int k = (step * tile.boxes + box) * DenseProblem::kBlock;
      copyBox(ring.getBuffer(at) + (wave * tile.boxes + box) * tile.rows * 128, wMap,
              {k.value, row.value}, ring.getFull(at));
    }
  }
}

void Kernel::bringX(const TilePlace &place, const Int &step,
                    const MbarrierRing::Position &at) const {
  for (int64_t box = 0; box < tile.boxes; ++box) {
    Int k = (step * tile.boxes + box) * DenseProblem::kBlock;
    copyBox(getX(at, box), xMap, {k.value, place.row.value}, ring.getFull(at));
  }
}

//===----------------------------------------------------------------------===//
// The consumers
//===----------------------------------------------------------------------===//

void Kernel::consume(const Int &warpgroup) {
  Int thread = getThread(b);
  lane = thread & 31;
  warp = broadcast(thread >> 5, 0);
  Int firstRow = warpgroup * (64 * tile.getRowWaves());
  if (norm)
    norm->bringWeight();
  // The kernel before may still read what this one writes.
  if (frame.getShape().earlyLaunch && !problem.groups)
    waitDependencies(b);
  if (norm)
    norm->start(tile.boxes);
  forTiles(ring.getUserStart().getValues(), [&](Int index, mlir::ValueRange position) {
    Values last = multiplyAll(position, firstRow);
    Values sums(mlir::ValueRange(last).drop_front(2));
    auto finish = [&](mlir::ValueRange all) {
      Int barrier(b, 1);
      syncNamed(b, barrier, 128 * tile.consumers); // the tile before has left
      keepSums(firstRow, all);
      syncNamed(b, barrier, 128 * tile.consumers);
      finishTile(order.getPlace(index));
    };
    if (tile.split == 1)
      finish(sums);
    else
      ifThen(
          rank == 0, [&] { finish(getClusterSums().gather(getThread(b), sums)); },
          [&] { getClusterSums().send(rank, getThread(b), sums); });
    last.resize(2);
    return last;
  });
}

/// All of the block's steps of K: the ring's position behind them, then the sums.
Values Kernel::multiplyAll(mlir::ValueRange position, const Int &firstRow) {
  Values init(position);
  init.append(tile.getSums(waves), constantFloat(b, 0));
  return forLoop(Int(b, 0), numSteps, Int(b, 1), init, [&](Int step, mlir::ValueRange carried) {
    auto at = ring.getPosition(carried.take_front(2));
    ring.waitFull(at);
    if (norm)
      norm->apply(getX(at, 0), tile.tokens, (firstStep + step) * tile.boxes);
    Values sums = multiplyStep(ring.getBuffer(at), firstRow, carried.drop_front(2));
    ring.release(at, lane == 0);
    Values next = ring.advance(at).getValues();
    llvm::append_range(next, sums);
    return next;
  });
}

/// sums[row wave][column wave] += weights * x
Values Kernel::multiplyStep(const Shared &buffer, const Int &firstRow,
                            mlir::ValueRange sums) const {
  WgmmaTile product(b, Operand::BFloat16, tile.tokens);
  int64_t boxRows = tile.rows * waves * tile.boxes;
  Value weights = product.describe(buffer + firstRow * 128);
  Value x = product.describe(buffer + boxRows * 128);
  size_t perWave = tile.tokens / 2;
  if (problem.isGathered())
    fenceCopies(b); // what threads wrote is read by the products
  fenceProducts(b);
  Values running;
  for (int64_t i = 0; i < tile.getRowWaves() * waves; ++i) {
    int64_t rowWave = i / waves, wave = i % waves;
    Value under = makeStruct(b, sums.slice(i * perWave, perWave));
    for (int64_t box = 0; box < tile.boxes; ++box) {
      int64_t row = (wave * tile.boxes + box) * tile.rows + 64 * rowWave;
      under = product.add(product.skipRows(weights, row), product.skipRows(x, box * tile.tokens),
                          under);
    }
    llvm::append_range(running, getMembers(b, under));
  }
  commitProducts(b);
  return waitProducts(b, 0, running);
}

//===----------------------------------------------------------------------===//
// The results
//===----------------------------------------------------------------------===//

ClusterSums Kernel::getClusterSums() const {
  return {gathered, arrived, tile.split, 128 * tile.consumers,
          tile.getSums(waves) * 128 * tile.consumers * 4};
}

/// Register 4 j + 2 h + e of a wave is row 16 * warp + 8 h + lane / 4, token 8 j + 2 * (lane % 4) +
/// e.
void Kernel::keepSums(const Int &firstRow, mlir::ValueRange sums) const {
  Int row = firstRow + (warp & 3) * 16 + (lane >> 2), token = (lane & 3) * 2;
  Shared place = finished + (token * width + row) * 4;
  int64_t perWave = tile.tokens / 2;
  for (auto [i, sum] : llvm::enumerate(sums)) {
    int64_t wave = i / perWave, j = i % perWave / 4, h = i % 4 / 2, e = i % 2;
    int64_t column = wave % waves * tile.rows + wave / waves * 64 + 8 * h;
    store(sum, place + ((8 * j + e) * width + column) * 4, 4);
  }
}

/// Two columns of a token a thread.
void Kernel::finishTile(const TilePlace &place) const {
  int64_t pairs = tile.rows / 2;
  auto vector = mlir::VectorType::get(2, b.getF32Type());
  Int count = min(place.limit - place.row, Int(b, tile.tokens));
  forLoop(getThread(b), count * pairs, Int(b, 128 * tile.consumers), [&](Int index) {
    Int token = index / pairs, inTile = index % pairs * 2, column = place.column + inTile;
    ifThen(column < problem.columns, [&] {
      llvm::SmallVector<std::array<Value, 2>, 2> sums;
      for (int64_t wave = 0; wave < waves; ++wave) {
        Values pair = getElements(
            b, load(finished + (token * width + inTile + wave * tile.rows) * 4, vector, 8));
        sums.push_back({pair[0], pair[1]});
      }
      epilogue.emitPair(place.row + token, column, sums);
    });
  });
}

void moec::hopper::emitDenseRing(KernelFrame &frame, const DenseProblem &problem,
                                 const DenseRingTile &tile, const EpilogueSpec &epilogue) {
  Kernel(frame, problem, tile, epilogue).emit();
}
