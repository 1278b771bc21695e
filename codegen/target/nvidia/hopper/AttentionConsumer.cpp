#include "codegen/target/nvidia/hopper/AttentionConsumer.h"

#include "codegen/target/nvidia/hopper/QuadShuffle.h"

using namespace moec;
using namespace moec::hopper;
using mlir::ValueRange;

static constexpr int64_t kBlockRows = 64, kBoxColumns = 64, kBoxBytes = 8192, kLanes = 32;
// Named barriers: 1 is the kernel's, then one a warpgroup, then one a turn.
static constexpr int64_t kOwnBarrier = 2, kTurnBarrier = 4;

AttentionConsumer::AttentionConsumer(KernelFrame &frame, const AttentionProblem &problem,
                                     bool takesTurns, const MbarrierRing &keys,
                                     const MbarrierRing &values)
    : frame(frame), problem(problem), takesTurns(takesTurns), b(frame.b), keys(keys),
      values(values), scoresOf(b, problem.keyColumns), sumsOf(b, problem.valueColumns),
      softmax(b, problem.scale), thread(getThread(b)), lane(thread & (kLanes - 1)),
      warp(broadcast(thread / kLanes, 0)), warpgroup(warp / 4) {}

void AttentionConsumer::begin() {
  if (takesTurns)
    ifThen(warpgroup == 1, [&] { arriveNamed(b, kTurnBarrier, 256); });
}

/// The next block's scores are in flight with this one's weighted sum, which goes on beside the
/// softmax.
Values AttentionConsumer::consume(const AttentionItem &item, ValueRange carried, Finish finish) {
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
  State state = softmax.getState(at.slice(2 + numWeights, 4));
  state.sum = softmax.finish(state);
  finish(sums, state);
  return keys.advance(last).getValues();
}

/// The warpgroups start their products one after the other, and compute weights meanwhile.
void AttentionConsumer::takeTurn(bool mine) {
  if (!takesTurns)
    return;
  if (mine)
    return syncNamed(b, warpgroup + kTurnBarrier, 256);
  ifThen(
      warpgroup == 0, [&] { arriveNamed(b, kTurnBarrier + 1, 256); },
      [&] { arriveNamed(b, kTurnBarrier, 256); });
}

/// Rows are tokens, then heads.
void AttentionConsumer::loadRows(const AttentionItem &item) {
  numRows = item.tokens * problem.getGroup();
  Global positions = frame.getSlot(problem.positions);
  for (unsigned half : {0, 1}) {
    Int row = warp * 16 + (lane >> 2) + 8 * half;
    rows[half] = select(row < numRows, row, Int(b, 0));
    Int token = item.firstToken + rows[half] / problem.getGroup();
    limits[half] = Int(b, load(positions.at(token, 4), b.getI32Type(), 4)) + 1;
  }
}

Values AttentionConsumer::loadQueries(const AttentionItem &item) {
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

Values AttentionConsumer::startScores(ValueRange queries, const Position &position) {
  return scoresOf.start(queries, scoresOf.describe(keys.getBuffer(position)));
}

Values AttentionConsumer::startValues(ValueRange weights, const Position &position,
                                      ValueRange sums) {
  return sumsOf.start(weights, sumsOf.describe(values.getBuffer(position)), sums);
}

SoftmaxRows::Step AttentionConsumer::weigh(const AttentionItem &item, const Int &block,
                                           ValueRange scores, const State &state) {
  Int first = block * kBlockRows;
  Values masked = choose(
      first + kBlockRows >= item.visible + 1, scores.getTypes(),
      [&] { return softmax.mask(scores, first, limits, lane); }, [&] { return Values(scores); });
  return softmax.advance(masked, state);
}

/// What lies behind the context's end in its last block has weights 0, but 0 * NaN is NaN. Every
/// warpgroup writes the zeros, for none waits for another.
void AttentionConsumer::zeroTail(const AttentionItem &item, const Position &position) {
  constexpr int64_t kRowBytes = kBoxColumns * 2, kChunk = 16;
  Int rows = minusOrZero(item.end * kBlockRows, item.length);
  ifThen(rows != 0, [&] {
    Shared tail = values.getBuffer(position) + (Int(b, kBlockRows) - rows) * kRowBytes;
    Int own = thread & 127;
    Value zeros = makeVector(b, Values(4, Int(b, 0).value));
    forLoop(own, rows * (kRowBytes / kChunk), Int(b, 128), [&](Int chunk) {
      for (int64_t box = 0; box < problem.valueColumns / kBoxColumns; ++box)
        hopper::store(zeros, tail + chunk * kChunk + box * kBoxBytes, kChunk);
    });
    fenceCopies(b);
    syncNamed(b, warpgroup + kOwnBarrier, 128);
  });
}

/// Of a row of the tile.
Global AttentionConsumer::getResult(const AttentionItem &item, const Int &row, const Int &column) {
  Int token = item.firstToken + row / problem.getGroup();
  Int head = item.head * problem.getGroup() + row % problem.getGroup();
  return frame.getSlot(problem.result).at(token, problem.resultStride * 2) +
         (head * problem.valueColumns + column) * 2;
}

void AttentionConsumer::store(const AttentionItem &item, ValueRange sums, const State &state) {
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
        hopper::store(makeVector(b, part), result + i * kColumns * 2, 16);
    });
  }
}
