#include "codegen/target/nvidia/hopper/BlockScaledParts.h"

#include "codegen/target/nvidia/hopper/Cluster.h"
#include "codegen/target/nvidia/hopper/RowGather.h"

using namespace moec::hopper;

BlockScaledParts::BlockScaledParts(KernelFrame &frame, const BlockScaledProblem &problem,
                                   const MatmulTile &tile, const EpilogueSpec &spec)
    : frame(frame), b(frame.b), problem(problem), tile(tile),
      roles{.consumers = tile.consumers,
            .manyProducers = true,
            .blocks = tile.getResidentBlocks(),
            .producesMuch = problem.isGathered()},
      epilogue(frame, spec, tile, problem.getRows()), blocks(problem.k / 128),
      operands(frame, tile.stages, tile.getStageBytes()),
      scales(frame, tile.getScaleBuffers(), tile.getScaleBytes()),
      order(frame, tile, problem.columns, problem.groups) {
  if (tile.tickets)
    tickets.emplace(frame, problem.counters);
  if (tile.split > 1) {
    gathered = frame.allocate(tile.getGatheredBytes(), 16);
    arrived = frame.allocate(8, 8);
  }
  addMaps();
}

void BlockScaledParts::addMaps() {
  if (!problem.isGathered())
    xMap = frame.addTensorMap(TensorMap::ofOperand(problem.xCodes, problem.k, problem.getRows(),
                                                   static_cast<uint32_t>(tile.getBroughtRows())));
  int64_t matrices = problem.groups ? problem.groups->count : 1;
  wMap = frame.addTensorMap(TensorMap::ofOperand(problem.wCodes, problem.k,
                                                 Extent::of(matrices * problem.weightRows),
                                                 static_cast<uint32_t>(tile.columns)));
  if (copiesScales())
    addScaleMap();
}

void BlockScaledParts::addScaleMap() {
  TensorMap map;
  map.slot = problem.xScales;
  map.element = TensorMap::Element::Float32;
  map.sizes = {Extent::of(blocks), problem.getRows()};
  map.strides = {static_cast<uint64_t>(4 * blocks)};
  map.box = {kScaleBlocks, static_cast<uint32_t>(tile.getBroughtRows())};
  scaleMap = frame.addTensorMap(map);
}

void BlockScaledParts::start() {
  ifThen(getThread(b) == 0, [&] { startBarriers(); });
  if (frame.getShape().earlyLaunch && !isEarly())
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

/// By one thread.
void BlockScaledParts::startBarriers() {
  bool together = problem.isGathered();
  operands.init(1 + (together ? RowGather::kThreads : 0), roles.getConsumerWarps());
  // All lanes read scales by themselves, and threads may overwrite them.
  int64_t fillers = together ? RowGather::kThreads : kScaleThreads;
  scales.init(fillers + (scaleMap ? 1 : 0), 128 * tile.consumers);
  epilogue.init();
  if (tickets) // one thread asks for operands, where not all gather
    tickets->init(128 * tile.consumers + fillers + (together ? 0 : 1));
  if (tile.split > 1) {
    initBarrier(arrived, 1);
    arriveExpecting(arrived, Int(b, tile.getGatheredBytes()));
  }
  fenceBarrierInit(b);
  for (Value map : {xMap, wMap, scaleMap})
    if (map)
      prefetchMap(b, map);
  for (Value map : epilogue.getMaps())
    prefetchMap(b, map);
}

/// Blocks of a cluster have whole boxes of scales of K, and as many but for one.
void BlockScaledParts::divideBlocks() {
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
void BlockScaledParts::shareBandwidth() {
  Int most = (numTiles + numClusters - 1) / numClusters;
  Int mine = (numTiles + numClusters - 1 - cluster) / numClusters;
  Int part = (mine * tile.stages + most - 1) / select(most == 0, Int(b, 1), most);
  operands.limit(select(part < 2, Int(b, 2), part));
}

void BlockScaledParts::waitForLaunch() const {
  if (isEarly())
    waitDependencies(b);
}

Int BlockScaledParts::getBoxRow(const TilePlace &place, int64_t wave) const {
  Int row = problem.getWeightRow(place.column, wave);
  return problem.groups ? row + place.group * problem.weightRows : row;
}

WeightScales BlockScaledParts::getWeightScales(const TilePlace &place) const {
  llvm::SmallVector<Int, 2> rows;
  for (int64_t wave = 0; wave < tile.columnWaves; ++wave)
    rows.push_back(problem.getWeightRow(place.column, wave));
  return WeightScales(b, {problem.weightRows, blocks, tile.columns}, place.group, rows);
}

TilePlace BlockScaledParts::getPlace(const Int &index, const Int &turn) const {
  TilePlace place = order.getPlace(index);
  if (tile.parts > 1)
    place.column = place.column + rank * tile.columns;
  place.turn = turn;
  return place;
}

void BlockScaledParts::forTiles(
    mlir::ValueRange init, const std::optional<Bool> &draws,
    llvm::function_ref<Values(const TilePlace &, mlir::ValueRange)> body) const {
  if (!tickets) {
    forLoop(cluster, numTiles, numClusters, init, [&](Int index, mlir::ValueRange carried) {
      return body(getPlace(index, index / numClusters), carried);
    });
    return;
  }
  Values start{cluster.value, Int(b, 0).value};
  whileLoop(
      b, join({start, init}),
      [&](mlir::ValueRange carried) { return Int(b, carried[0]) < numTiles; },
      [&](mlir::ValueRange carried) {
        Int index(b, carried[0]), turn(b, carried[1]);
        Values drawn;
        if (draws)
          drawn = choose(
              *draws, {b.getI32Type()}, [&] { return Values{tickets->draw().value}; },
              [&] { return Values{index.value}; });
        Values behind = body(getPlace(index, turn), carried.drop_front(2));
        if (draws)
          ifThen(*draws, [&] { tickets->tell(turn, Int(b, drawn[0])); });
        Values next{tickets->take(turn).value, (turn + 1).value};
        return join({next, behind});
      });
  if (draws)
    ifThen(*draws, [&] { tickets->finish(); });
}

Values moec::hopper::join(llvm::ArrayRef<mlir::ValueRange> ranges) {
  Values all;
  for (mlir::ValueRange range : ranges)
    llvm::append_range(all, range);
  return all;
}
