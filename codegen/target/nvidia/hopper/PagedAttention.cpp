#include "codegen/target/nvidia/hopper/PagedAttention.h"

#include "codegen/target/nvidia/hopper/PartialSums.h"
#include "codegen/target/nvidia/hopper/WarpRoles.h"

#include "llvm/Support/MathExtras.h"

using namespace moec::hopper;
using mlir::ValueRange;

static constexpr int64_t kBlockRows = 64, kBoxColumns = 64, kBoxBytes = 8192, kLanes = 32;
static constexpr unsigned kPages = 4; // a block table's columns, as a run-time size

std::optional<std::string> AttentionProblem::refuse() const {
  auto isWhole = [](int64_t columns) { return columns == 64 || columns == 128; };
  if (!isWhole(keyColumns) || !isWhole(valueColumns))
    return "heads of " + std::to_string(keyColumns) + " and " + std::to_string(valueColumns) +
           " columns, not 64 or 128";
  if (page % kBlockRows)
    return "pages of " + std::to_string(page) + " rows, no multiple of 64";
  if (getGroup() > kBlockRows)
    return std::to_string(getGroup()) + " heads share a key, more than 64";
  if (qStride % 2 || resultStride % 8)
    return "rows of queries or results do not begin on 4 and 16 bytes";
  return std::nullopt;
}

/// Of a tile. Those of split contexts are a power of two, so that 32 tokens are whole tiles.
int64_t AttentionTile::getTokens(const AttentionProblem &problem) const {
  int64_t tokens = getRows() / problem.getGroup();
  return split ? std::min<int64_t>(llvm::bit_floor<uint64_t>(tokens), kLanes) : tokens;
}

int64_t AttentionTile::getScratchBytes(const AttentionProblem &problem) const {
  return split ? PartialSums::getScratchBytes(problem.valueColumns, blocks) : 0;
}

llvm::SmallVector<AttentionTile> moec::hopper::getAttentionTiles(int64_t mostTokens,
                                                                 int64_t workers) {
  constexpr int64_t kAlone = 8, kFewTokens = 256, kMostCounters = 256;
  AttentionTile alone, few, many;
  // One block a multiprocessor, whose other half is left to the launch behind.
  alone.blocks = std::min(workers, kMostCounters);
  alone.stages = 3;
  few.blocks = std::min(2 * workers, kMostCounters);
  many.consumers = 2;
  many.stages = 4;
  many.blocks = workers;
  many.split = 0;
  many.pingPong = 1;
  if (mostTokens > kFewTokens)
    return {many};
  alone.mostTokens = few.mostTokens = mostTokens;
  if (mostTokens > kAlone)
    return {few, many};
  return {alone, few, many};
}

LaunchShape moec::hopper::getLaunchShape(const AttentionTile &tile) {
  LaunchShape shape;
  shape.threads = tile.getThreads();
  shape.minBlocks = tile.consumers == 1 ? 2 : 1;
  shape.maxBlocks = tile.blocks;
  shape.earlyLaunch = true;
  return shape;
}

namespace {

class Kernel {
public:
  Kernel(KernelFrame &frame, const AttentionProblem &problem, const AttentionTile &tile);
  void emit();

private:
  using Position = MbarrierRing::Position;
  using State = SoftmaxRows::State;

  void produce();
  Int countOldBlocks(const AttentionItem &item) const;
  void bring(const AttentionItem &item, const Int &block, const Int &id, const Position &position);
  void consume();
  void finishTile(const AttentionItem &item, ValueRange sums, const State &state);

  KernelFrame &frame;
  AttentionProblem problem;
  AttentionTile tile;
  Builder &b;
  Value map;
  MbarrierRing keys, values;
  AttentionConsumer consumer;
  Int thread, lane, pages;
  std::unique_ptr<AttentionWork> work;
  std::unique_ptr<PartialSums> partial;
};

} // namespace

/// Keys and values of the cache in boxes of 64 rows and columns.
static TensorMap makeCacheMap(const AttentionProblem &problem) {
  int64_t columns = problem.getCacheColumns();
  TensorMap map;
  map.slot = problem.cache;
  map.element = TensorMap::Element::BFloat16;
  map.sizes = {Extent::of(columns), Extent::of(0)}; // as many rows as the cache has
  map.strides = {static_cast<uint64_t>(columns) * 2};
  map.box = {kBoxColumns, kBlockRows};
  map.swizzle = 128;
  // A head's columns: what is beside them belongs to another block, perhaps at another time.
  map.l2Promotion = std::min<int64_t>(256, 2 * std::min(problem.keyColumns, problem.valueColumns));
  return map;
}

Kernel::Kernel(KernelFrame &frame, const AttentionProblem &problem, const AttentionTile &tile)
    : frame(frame), problem(problem), tile(tile), b(frame.b),
      map(frame.addTensorMap(makeCacheMap(problem))),
      keys(frame, tile.stages, kBlockRows * problem.keyColumns * 2),
      values(frame, tile.stages, kBlockRows * problem.valueColumns * 2),
      consumer(frame, problem, tile.pingPong, keys, values), thread(getThread(b)),
      lane(thread & (kLanes - 1)), pages(frame.getDim(kPages)) {}

void Kernel::emit() {
  launchDependents(b);
  ifThen(thread == 0, [&] {
    keys.init(1, 4 * tile.consumers);
    values.init(1, 4 * tile.consumers);
    fenceBarrierInit(b);
    prefetchMap(b, map);
  });
  AttentionTokens tokens{frame.getSlot(problem.positions), frame.getSlot(problem.sequences),
                         frame.getDim(1), problem.keyValueHeads, tile.getTokens(problem)};
  if (tile.split) {
    work = makeSplitWork(frame, tokens, {tile.mostTokens, /*overhead=*/1, tile.leastPart});
    partial =
        std::make_unique<PartialSums>(frame, problem.valueColumns, frame.getSlot(problem.scratch),
                                      frame.getSlot(problem.counters));
  } else {
    syncBlock(b);
    work = makeTileWork(tokens);
  }
  WarpRoles roles{
      .consumers = tile.consumers, .byWarp = true, .blocks = getLaunchShape(tile).minBlocks};
  roles.split(
      b, [&] { produce(); },
      [&](Int) {
        waitDependencies(b);
        consume();
      });
}

//===----------------------------------------------------------------------===//
// The warp that brings keys and values
//===----------------------------------------------------------------------===//

/// Blocks whose rows are of earlier steps: where each sequence has one token, all but that token's.
Int Kernel::countOldBlocks(const AttentionItem &item) const {
  Bool isDecode = frame.getDim(1) == frame.getDim(2);
  return select(isDecode, (item.length - 1) / kBlockRows, Int(b, 0));
}

/// What earlier steps have left is brought before the launch before has ended.
void Kernel::produce() {
  Global table = frame.getSlot(problem.blockTable);
  int64_t blocksAPage = problem.page / kBlockRows;
  work->forEach(
      keys.getFillerStart().getValues(), [&](const AttentionItem &item, ValueRange carried) {
        // Sequences times pages may pass what 32 bits of bytes reach, not what they count.
        Int first = item.sequence * pages, old = countOldBlocks(item);
        // The numbers of 32 pages at a time, one a lane.
        return forLoop(item.begin, item.end, Int(b, kLanes), carried, [&](Int part, ValueRange at) {
          Int last = min(part + kLanes, item.end), mine = min(part + lane, last - 1);
          Int id(b, load(table.at(first + mine / blocksAPage, 4), b.getI32Type(), 4));
          return forLoop(part, last, Int(b, 1), at, [&](Int block, ValueRange at) {
            Position position = keys.getPosition(at);
            ifThen(block >= old, [&] { waitDependencies(b); });
            bring(item, block, shuffleFrom(id, block - part), position);
            return keys.advance(position).getValues();
          });
        });
      });
  waitDependencies(b); // by every block, whatever it had to bring
}

void Kernel::bring(const AttentionItem &item, const Int &block, const Int &id,
                   const Position &position) {
  int64_t blocksAPage = problem.page / kBlockRows;
  Int row = id * problem.page + block % blocksAPage * kBlockRows;
  auto fill = [&](const MbarrierRing &ring, const Int &column, int64_t columns) {
    ring.beginFill(position, kBlockRows * columns * 2);
    for (int64_t box = 0; box < columns / kBoxColumns; ++box)
      copyBox(ring.getBuffer(position) + box * kBoxBytes, map,
              {(column + box * kBoxColumns).value, row.value}, ring.getFull(position));
  };
  ifThen(lane == 0, [&] {
    fill(keys, item.head * problem.keyColumns, problem.keyColumns);
    fill(values, item.head * problem.valueColumns + problem.keyValueHeads * problem.keyColumns,
         problem.valueColumns);
  });
}

//===----------------------------------------------------------------------===//
// The warpgroups that compute
//===----------------------------------------------------------------------===//

void Kernel::consume() {
  consumer.begin();
  work->forEach(
      keys.getUserStart().getValues(), [&](const AttentionItem &item, ValueRange carried) {
        auto finish = [&](ValueRange sums, const State &state) { finishTile(item, sums, state); };
        return consumer.consume(item, carried, finish);
      });
}

void Kernel::finishTile(const AttentionItem &item, ValueRange sums, const State &state) {
  if (!tile.split)
    return consumer.store(item, sums, state);
  ifThen(
      item.firstBlock == item.lastBlock, [&] { consumer.store(item, sums, state); },
      [&] {
        Int rows = consumer.getNumRows();
        partial->add(item, rows, sums, state, [&](Int row, Int column, Value low, Value high) {
          ifThen(row < rows, [&] {
            store(packBFloat16(b, low, high), consumer.getResult(item, row, column), 4);
          });
        });
      });
}

void moec::hopper::emitPagedAttention(KernelFrame &frame, const AttentionProblem &problem,
                                      const AttentionTile &tile) {
  Kernel(frame, problem, tile).emit();
}
