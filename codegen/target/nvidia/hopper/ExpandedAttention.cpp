#include "codegen/target/nvidia/hopper/ExpandedAttention.h"

#include "codegen/target/nvidia/hopper/AttentionConsumer.h"
#include "codegen/target/nvidia/hopper/GridBarrier.h"
#include "codegen/target/nvidia/hopper/LatentExpansion.h"
#include "codegen/target/nvidia/hopper/WarpRoles.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace moec::hopper;
using mlir::ValueRange;
using Kind = LatentExpansion::Kind;

static constexpr int64_t kBlockRows = 64, kBoxColumns = 64, kBoxBytes = 8192;
static constexpr int64_t kKeyBytes = kBlockRows * ExpandedProblem::kKeyColumns * 2,
                         kValueBytes = kBlockRows * ExpandedProblem::kPart * 2;
static constexpr unsigned kTokens = 1, kPages = 4; // of the dims
static constexpr int64_t kPhaseBarrier = 1;        // of all who compute or bring
static constexpr int64_t kConsumers = 2, kPhaseThreads = 128 * kConsumers + 32;

std::optional<std::string> ExpandedProblem::refuse() const {
  if (heads <= 0)
    return "it has no heads";
  if (page <= 0 || page % kBlockRows)
    return llvm::formatv("pages of {0} rows are no multiples of {1}", page, kBlockRows).str();
  if (qStride % 2 || resultStride % 8)
    return "rows of queries or results do not begin on 4 and 16 bytes";
  return std::nullopt;
}

int64_t ExpandedTile::getScratchBytes(const ExpandedProblem &problem) const {
  int64_t weights = problem.heads * 2 * ExpandedProblem::kPart * ExpandedProblem::kLatent;
  return getExpandedBytes() + (problem.scales ? weights * 2 : 0);
}

/// As many heads' rows as give each block its rounds, in at most 128 MiB a half; one head's always.
ExpandedTile moec::hopper::getExpandedTile(const ExpandedProblem &problem, int64_t tokens,
                                           int64_t context, int64_t workers) {
  constexpr int64_t kLeastRows = 4096, kMostRows = 1 << 18;
  ExpandedTile tile;
  tile.blocks = workers;
  int64_t tiles = llvm::divideCeil(tokens, ExpandedTile::kTileTokens);
  int64_t heads = std::min<int64_t>(problem.heads, llvm::divideCeil(tile.rounds * workers, tiles));
  int64_t length = llvm::alignTo(context, PromptStep::kBlockRows);
  tile.rows = std::max({std::min(heads * length, kMostRows), length, kLeastRows});
  return tile;
}

LaunchShape moec::hopper::getLaunchShape(const ExpandedTile &tile) {
  LaunchShape shape;
  shape.threads = 128 * (kConsumers + 1);
  shape.maxBlocks = tile.blocks;
  shape.earlyLaunch = true;
  shape.coResident = true;
  return shape;
}

static TensorMap makeCacheMap(const ExpandedProblem &problem) {
  TensorMap map;
  map.slot = problem.cache;
  map.element = TensorMap::Element::BFloat16;
  map.sizes = {Extent::of(ExpandedProblem::kWidth), Extent::of(0)}; // as many as the cache has
  map.strides = {2 * ExpandedProblem::kWidth};
  map.box = {kBoxColumns, kBlockRows};
  map.swizzle = 128;
  return map;
}

/// The expanded rows, 128 columns each.
static TensorMap makeExpandedMap(const ExpandedProblem &problem, const ExpandedTile &tile) {
  TensorMap map = makeCacheMap(problem);
  map.slot = problem.scratch;
  map.sizes = {Extent::of(ExpandedProblem::kPart), Extent::of(4 * tile.rows)};
  map.strides = {2 * ExpandedProblem::kPart};
  return map;
}

static AttentionProblem getAttention(const ExpandedProblem &problem) {
  AttentionProblem attention;
  attention.q = problem.q;
  attention.positions = problem.positions;
  attention.result = problem.result;
  attention.heads = attention.keyValueHeads = problem.heads;
  attention.keyColumns = ExpandedProblem::kKeyColumns;
  attention.valueColumns = ExpandedProblem::kPart;
  attention.qStride = problem.qStride;
  attention.resultStride = problem.resultStride;
  attention.scale = problem.scale;
  return attention;
}

namespace {

class Kernel {
public:
  Kernel(KernelFrame &frame, const ExpandedProblem &problem, const ExpandedTile &tile);
  void emit();

private:
  void produce();
  void consume();
  Values bringTile(const PromptStep &step, const AttentionItem &item, ValueRange at);
  void bringBlock(const AttentionItem &item, const std::array<Int, 2> &firstRows, const Int &block,
                  const MbarrierRing::Position &position);
  void meet();

  KernelFrame &frame;
  ExpandedProblem problem;
  ExpandedTile tile;
  Builder &b;
  Shared data; // rows and weights while a step expands, keys and values while it attends
  Value cacheMap, expandedMap;
  LatentExpansion expansion;
  MbarrierRing keys, values;
  AttentionConsumer attention;
  PromptSteps steps;
  GridBarrier barrier;
  Int thread, lane, pages;
};

} // namespace

static int64_t getSharedBytes(const ExpandedTile &tile) {
  return std::max(LatentExpansion::getSharedBytes(tile), tile.stages * (kKeyBytes + kValueBytes));
}

Kernel::Kernel(KernelFrame &frame, const ExpandedProblem &problem, const ExpandedTile &tile)
    : frame(frame), problem(problem), tile(tile), b(frame.b),
      data(frame.allocate(getSharedBytes(tile), 1024)),
      cacheMap(frame.addTensorMap(makeCacheMap(problem))),
      expandedMap(frame.addTensorMap(makeExpandedMap(problem, tile))),
      expansion(frame, problem, tile, data, cacheMap), keys(frame, data, tile.stages, kKeyBytes),
      values(frame, data + tile.stages * kKeyBytes, tile.stages, kValueBytes),
      attention(frame, getAttention(problem), /*takesTurns=*/true, keys, values),
      steps({frame.getSlot(problem.positions), frame.getSlot(problem.sequences),
             frame.getDim(kTokens), problem.heads, ExpandedTile::kTileTokens},
            tile.rows, tile.rounds),
      barrier(frame.getSlot(problem.counters)), thread(getThread(b)), lane(thread & 31),
      pages(frame.getDim(kPages)) {}

void Kernel::emit() {
  launchDependents(b);
  ifThen(thread == 0, [&] {
    expansion.initBarriers();
    keys.init(1, 4 * kConsumers);
    values.init(1, 4 * kConsumers);
    fenceBarrierInit(b);
    prefetchMap(b, cacheMap);
    prefetchMap(b, expandedMap);
  });
  syncBlock(b);
  waitDependencies(b);
  WarpRoles roles{.consumers = kConsumers, .byWarp = true};
  roles.split(b, [&] { produce(); }, [&](Int) { consume(); });
}

/// Shared memory changes hands, and what the block has written to the scratch is complete.
void Kernel::meet() { syncNamed(b, Int(b, kPhaseBarrier), kPhaseThreads); }

void Kernel::produce() {
  auto waitForAll = [&](const Int &turn) {
    meet();
    ifThen(lane == 0, [&] { barrier.wait(turn); });
    syncWarp(b);
  };
  if (problem.scales)
    waitForAll(Int(b, 0));
  Values init = expansion.getProducerStart();
  size_t own = init.size();
  init.append(keys.getFillerStart().getValues());
  steps.forEach(init, [&](const PromptStep &step, ValueRange at) {
    Values next = expansion.produce(step, at.take_front(own));
    waitForAll(step.number + (problem.scales ? 1 : 0));
    next.append(
        steps.forEachTile(step, at.drop_front(own), [&](const AttentionItem &item, ValueRange at) {
          return bringTile(step, item, at);
        }));
    meet();
    return next;
  });
  ifThen(lane == 0, [&] { barrier.finish(); });
}

Values Kernel::bringTile(const PromptStep &step, const AttentionItem &item, ValueRange at) {
  Int head = item.head - step.firstHead;
  std::array<Int, 2> firstRows = {expansion.getFirstRow(step, head, Kind::Key),
                                  expansion.getFirstRow(step, head, Kind::Value)};
  return forLoop(item.begin, item.end, Int(b, 1), at, [&](Int block, ValueRange at) {
    MbarrierRing::Position position = keys.getPosition(at);
    ifThen(lane == 0, [&] { bringBlock(item, firstRows, block, position); });
    return keys.advance(position).getValues();
  });
}

void Kernel::bringBlock(const AttentionItem &item, const std::array<Int, 2> &firstRows,
                        const Int &block, const MbarrierRing::Position &position) {
  Int cached = findCachedRow(frame, problem, item.sequence, block, pages);
  auto bring = [&](const MbarrierRing &ring, int64_t box, Value map, int64_t column,
                   const Int &row) {
    copyBox(ring.getBuffer(position) + box * kBoxBytes, map, {Int(b, column).value, row.value},
            ring.getFull(position));
  };
  Int row = firstRows[0] + block * kBlockRows;
  keys.beginFill(position, kKeyBytes);
  bring(keys, 0, expandedMap, 0, row);
  bring(keys, 1, expandedMap, kBoxColumns, row);
  bring(keys, 2, cacheMap, ExpandedProblem::kLatent, cached);
  row = firstRows[1] + block * kBlockRows;
  values.beginFill(position, kValueBytes);
  bring(values, 0, expandedMap, 0, row);
  bring(values, 1, expandedMap, kBoxColumns, row);
}

void Kernel::consume() {
  attention.begin();
  if (problem.scales) {
    expansion.widen();
    fenceGlobalCopies(b);
    meet();
  }
  Values init = expansion.getConsumerStart();
  size_t own = init.size();
  init.append(keys.getUserStart().getValues());
  steps.forEach(init, [&](const PromptStep &step, ValueRange at) {
    Values next = expansion.consume(step, at.take_front(own));
    fenceGlobalCopies(b);
    meet();
    next.append(
        steps.forEachTile(step, at.drop_front(own), [&](const AttentionItem &item, ValueRange at) {
          return attention.consume(item, at, [&](ValueRange sums, const SoftmaxRows::State &state) {
            attention.store(item, sums, state);
          });
        }));
    meet();
    return next;
  });
}

void moec::hopper::emitExpandedAttention(KernelFrame &frame, const ExpandedProblem &problem,
                                         const ExpandedTile &tile) {
  Kernel(frame, problem, tile).emit();
}
