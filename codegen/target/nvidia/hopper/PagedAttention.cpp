#include "codegen/target/nvidia/hopper/PagedAttention.h"

#include "codegen/target/nvidia/hopper/MbarrierRing.h"
#include "codegen/target/nvidia/hopper/PartialSums.h"
#include "codegen/target/nvidia/hopper/QuadShuffle.h"
#include "codegen/target/nvidia/hopper/WarpRoles.h"
#include "codegen/target/nvidia/hopper/WgmmaScores.h"
#include "codegen/target/nvidia/hopper/WgmmaValues.h"

#include "llvm/Support/MathExtras.h"

using namespace moec::hopper;
using mlir::ValueRange;

static constexpr int64_t kBlockRows = 64, kBoxColumns = 64, kBoxBytes = 8192, kLanes = 32;
static constexpr unsigned kPages = 4; // a block table's columns, as a run-time size
// Named barriers: 1 is PartialSums', then one a warpgroup, then one a turn.
static constexpr int64_t kOwnBarrier = 2, kTurnBarrier = 4;

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
  constexpr int64_t kFewTokens = 256, kMostCounters = 256;
  AttentionTile few, many;
  few.blocks = std::min(2 * workers, kMostCounters);
  many.consumers = 2;
  many.stages = 4;
  many.blocks = workers;
  many.split = 0;
  many.pingPong = 1;
  if (mostTokens > kFewTokens)
    return {many};
  few.mostTokens = mostTokens;
  return {few, many};
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
  void bring(const AttentionItem &item, const Int &block, const Int &id, const Position &position);
  void consume();
  Values consumeTile(const AttentionItem &item, ValueRange carried);
  void loadRows(const AttentionItem &item);
  Values loadQueries(const AttentionItem &item);
  Values startScores(ValueRange queries, const Position &position);
  Values startValues(ValueRange weights, const Position &position, ValueRange sums);
  SoftmaxRows::Step weigh(const AttentionItem &item, const Int &block, ValueRange scores,
                          const State &state);
  void zeroTail(const AttentionItem &item, const Position &position);
  void finishTile(const AttentionItem &item, ValueRange sums, State state);
  void storeTile(const AttentionItem &item, ValueRange sums, const State &state);
  Global getResult(const AttentionItem &item, const Int &row, const Int &column);
  void takeTurn(bool mine);

  KernelFrame &frame;
  AttentionProblem problem;
  AttentionTile tile;
  Builder &b;
  Value map;
  MbarrierRing keys, values;
  WgmmaScores scoresOf;
  WgmmaValues sumsOf;
  SoftmaxRows softmax;
  Int thread, lane, warp, warpgroup, pages;
  std::unique_ptr<AttentionWork> work;
  std::unique_ptr<PartialSums> partial;
  // Of the tile that is computed, for the lane's two rows (row 0's where there is none).
  std::array<Int, 2> rows, limits;
  Int numRows;
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
      scoresOf(b, problem.keyColumns), sumsOf(b, problem.valueColumns), softmax(b, problem.scale),
      thread(getThread(b)), lane(thread & (kLanes - 1)), warp(broadcast(thread / kLanes, 0)),
      warpgroup(warp / 4), pages(frame.getDim(kPages)) {}

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
  waitDependencies(b);
  WarpRoles roles{
      .consumers = tile.consumers, .byWarp = true, .blocks = getLaunchShape(tile).minBlocks};
  roles.split(b, [&] { produce(); }, [&](Int) { consume(); });
}

//===----------------------------------------------------------------------===//
// The warp that brings keys and values
//===----------------------------------------------------------------------===//

void Kernel::produce() {
  Global table = frame.getSlot(problem.blockTable);
  int64_t blocksAPage = problem.page / kBlockRows;
  work->forEach(
      keys.getFillerStart().getValues(), [&](const AttentionItem &item, ValueRange carried) {
        // Sequences times pages may pass what 32 bits of bytes reach, not what they count.
        Int first = item.sequence * pages;
        // The numbers of 32 pages at a time, one a lane.
        return forLoop(item.begin, item.end, Int(b, kLanes), carried, [&](Int part, ValueRange at) {
          Int last = min(part + kLanes, item.end), mine = min(part + lane, last - 1);
          Int id(b, load(table.at(first + mine / blocksAPage, 4), b.getI32Type(), 4));
          return forLoop(part, last, Int(b, 1), at, [&](Int block, ValueRange at) {
            Position position = keys.getPosition(at);
            bring(item, block, shuffleFrom(id, block - part), position);
            return keys.advance(position).getValues();
          });
        });
      });
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
  if (tile.pingPong)
    ifThen(warpgroup == 1, [&] { arriveNamed(b, kTurnBarrier, 256); });
  work->forEach(
      keys.getUserStart().getValues(),
      [&](const AttentionItem &item, ValueRange carried) { return consumeTile(item, carried); });
}

/// The next block's scores are in flight with this one's weighted sum, which goes on beside the
/// softmax.
Values Kernel::consumeTile(const AttentionItem &item, ValueRange carried) {
  loadRows(item);
  Values queries = loadQueries(item);
  Position first = keys.getPosition(carried);
  Bool isLeader = lane == 0;

  keys.waitFull(first);
  Values scores = waitProducts(b, 0, startScores(queries, first));
  keys.release(first, isLeader);
  SoftmaxRows::Step step = weigh(item, item.begin, scores, softmax.getStart());

  // Carried: the position of the block whose values are still to be added, its weights, the
  // softmax's state, the sums.
  Values init = first.getValues();
  size_t numWeights = kBlockRows / 4;
  init.append(sumsOf.pack(step.weights));
  init.append(step.state.getValues());
  init.append(problem.valueColumns / 2, constantFloat(b, 0));
  auto body = [&](Int block, ValueRange at) {
    Position before = keys.getPosition(at), position = keys.advance(before);
    ValueRange weights = at.slice(2, numWeights), sums = at.drop_front(2 + numWeights + 4);
    State state = softmax.getState(at.slice(2 + numWeights, 4));
    keys.waitFull(position);
    takeTurn(true);
    Values scores = startScores(queries, position);
    values.waitFull(before);
    Values next = startValues(weights, before, sums);
    takeTurn(false);
    scores = waitProducts(b, 1, scores);
    keys.release(position, isLeader);
    SoftmaxRows::Step step = weigh(item, block, scores, state);
    step.weights = anchor(b, step.weights);
    next = waitProducts(b, 0, next);
    values.release(before, isLeader);
    Values result = position.getValues();
    result.append(sumsOf.pack(step.weights));
    result.append(step.state.getValues());
    result.append(softmax.rescale(next, step.factors));
    return result;
  };
  Values done = forLoop(item.begin + 1, item.end, Int(b, 1), init, body);

  ValueRange at(done);
  Position last = keys.getPosition(at);
  values.waitFull(last);
  zeroTail(item, last);
  Values sums = startValues(at.slice(2, numWeights), last, at.drop_front(2 + numWeights + 4));
  sums = waitProducts(b, 0, sums);
  values.release(last, isLeader);
  finishTile(item, sums, softmax.getState(at.slice(2 + numWeights, 4)));
  return keys.advance(last).getValues();
}

/// The warpgroups start their products one after the other, and compute weights meanwhile.
void Kernel::takeTurn(bool mine) {
  if (!tile.pingPong)
    return;
  if (mine)
    return syncNamed(b, warpgroup + kTurnBarrier, 256);
  ifThen(
      warpgroup == 0, [&] { arriveNamed(b, kTurnBarrier + 1, 256); },
      [&] { arriveNamed(b, kTurnBarrier, 256); });
}

/// Rows are tokens, then heads.
void Kernel::loadRows(const AttentionItem &item) {
  numRows = item.tokens * problem.getGroup();
  Global positions = frame.getSlot(problem.positions);
  for (unsigned half : {0, 1}) {
    Int row = warp * 16 + (lane >> 2) + 8 * half;
    rows[half] = select(row < numRows, row, Int(b, 0));
    Int token = item.firstToken + rows[half] / problem.getGroup();
    limits[half] = Int(b, load(positions.at(token, 4), b.getI32Type(), 4)) + 1;
  }
}

Values Kernel::loadQueries(const AttentionItem &item) {
  Global q = frame.getSlot(problem.q);
  std::array<Global, 2> places;
  for (unsigned half : {0, 1}) {
    Int token = item.firstToken + rows[half] / problem.getGroup();
    Int head = item.head * problem.getGroup() + rows[half] % problem.getGroup();
    places[half] =
        q.at(token, problem.qStride * 2) + (head * problem.keyColumns + ((lane & 3) << 1)) * 2;
  }
  Values queries;
  for (int64_t column = 0; column < problem.keyColumns; column += 16)
    for (int64_t further : {0, 8})
      for (unsigned half : {0, 1})
        queries.push_back(load(places[half] + (column + further) * 2, b.getI32Type(), 4));
  return queries;
}

Values Kernel::startScores(ValueRange queries, const Position &position) {
  return scoresOf.start(queries, scoresOf.describe(keys.getBuffer(position)));
}

Values Kernel::startValues(ValueRange weights, const Position &position, ValueRange sums) {
  return sumsOf.start(weights, sumsOf.describe(values.getBuffer(position)), sums);
}

SoftmaxRows::Step Kernel::weigh(const AttentionItem &item, const Int &block, ValueRange scores,
                                const State &state) {
  Int first = block * kBlockRows;
  Values masked = choose(
      first + kBlockRows >= item.visible + 1, scores.getTypes(),
      [&] { return softmax.mask(scores, first, limits, lane); }, [&] { return Values(scores); });
  return softmax.advance(masked, state);
}

/// What lies behind the context's end in its last block has weights 0, but 0 * NaN is NaN. Every
/// warpgroup writes the zeros, for none waits for another.
void Kernel::zeroTail(const AttentionItem &item, const Position &position) {
  constexpr int64_t kRowBytes = kBoxColumns * 2, kChunk = 16;
  Int rows = minusOrZero(item.end * kBlockRows, item.length);
  ifThen(rows != 0, [&] {
    Shared tail = values.getBuffer(position) + (Int(b, kBlockRows) - rows) * kRowBytes;
    Int own = thread & 127;
    Value zeros = makeVector(b, Values(4, Int(b, 0).value));
    forLoop(own, rows * (kRowBytes / kChunk), Int(b, 128), [&](Int chunk) {
      for (int64_t box = 0; box < problem.valueColumns / kBoxColumns; ++box)
        store(zeros, tail + chunk * kChunk + box * kBoxBytes, kChunk);
    });
    fenceCopies(b);
    syncNamed(b, warpgroup + kOwnBarrier, 128);
  });
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

void Kernel::finishTile(const AttentionItem &item, ValueRange sums, State state) {
  state.sum = softmax.finish(state);
  if (!tile.split)
    return storeTile(item, sums, state);
  ifThen(
      item.firstBlock == item.lastBlock, [&] { storeTile(item, sums, state); },
      [&] {
        partial->add(item, numRows, sums, state, [&](Int row, Int column, Value low, Value high) {
          ifThen(row < numRows,
                 [&] { store(packBFloat16(b, low, high), getResult(item, row, column), 4); });
        });
      });
}

/// Of a row of the tile.
Global Kernel::getResult(const AttentionItem &item, const Int &row, const Int &column) {
  Int token = item.firstToken + row / problem.getGroup();
  Int head = item.head * problem.getGroup() + row % problem.getGroup();
  return frame.getSlot(problem.result).at(token, problem.resultStride * 2) +
         (head * problem.valueColumns + column) * 2;
}

void Kernel::storeTile(const AttentionItem &item, ValueRange sums, const State &state) {
  constexpr int64_t kColumns = 32; // whose 16-byte parts go to the lanes of a quad
  for (unsigned half : {0, 1}) {
    Value inverse = divideFloat(b, constantFloat(b, 1), state.sum[half]);
    Int row = warp * 16 + (lane >> 2) + 8 * half;
    llvm::SmallVector<Values> parts;
    for (int64_t column = 0; column < problem.valueColumns; column += kColumns) {
      Values items;
      for (int64_t block = column / 8; block < (column + kColumns) / 8; ++block) {
        auto get = [&](unsigned e) {
          return multiplyFloat(b, sums[4 * block + 2 * half + e], inverse);
        };
        items.push_back(packBFloat16(b, get(0), get(1)));
      }
      parts.push_back(transposeQuad(b, lane, items));
    }
    ifThen(row < numRows, [&] {
      Global result = getResult(item, row, (lane & 3) << 3);
      for (auto [i, part] : llvm::enumerate(parts))
        store(makeVector(b, part), result + i * kColumns * 2, 16);
    });
  }
}

void moec::hopper::emitPagedAttention(KernelFrame &frame, const AttentionProblem &problem,
                                      const AttentionTile &tile) {
  Kernel(frame, problem, tile).emit();
}
