#include "codegen/target/nvidia/hopper/LatentConsumer.h"

#include "codegen/target/nvidia/hopper/SplitSums.h"

using namespace moec::hopper;

// Barriers of both warpgroups: the weights of an even or an odd block are there.
static constexpr int64_t kWeights = 1, kThreads = 256;
// Barriers of one.
static constexpr int64_t kCleared = 5;

// A warpgroup's columns are summed in halves, so that the first boxes are freed earlier.
static constexpr int64_t kHalfColumns = 128, kHalfSums = 64, kHalfBoxes = 2;
static constexpr int64_t kHalves = 2;
static constexpr int64_t kBoxesOfColumns = 4;

LatentConsumer::LatentConsumer(const LatentParts &parts, int64_t warpgroup)
    : parts(parts), b(parts.b), memory(parts.memory), warpgroup(warpgroup),
      scores(b, Operand::BFloat16, 64), values(b, kHalfColumns), softmax(b, parts.problem.scale),
      thread(getThread(b) & 127), lane(getThread(b) & 31), row(((thread >> 5) << 4) + (lane >> 2)),
      exchange(memory.weights + (thread << 4)), maxima(memory.maxima + (row << 2)) {
  using enum BoxGroup;
  if (warpgroup == 0)
    groups = {Left0, Left1};
  else
    groups = {Right0, Right1};
  queries = scores.describeFixed(memory.queries);
  for (int64_t buffer : {0, 1}) {
    keys[buffer] = scores.describeFixed(memory.getBuffer(buffer));
    latents[buffer] = values.describe(memory.getBuffer(buffer) +
                                      warpgroup * kBoxesOfColumns * LatentMemory::kBoxBytes);
  }
}

Values LatentConsumer::State::getValues() const {
  Values all{even.value, odd.value};
  llvm::append_range(all, rows.getValues());
  llvm::append_range(all, sums);
  return all;
}

LatentConsumer::State LatentConsumer::State::get(Builder &b, mlir::ValueRange values) {
  return {Int(b, values[0]), Int(b, values[1]), Rows::get(values.slice(2, 4)),
          Values(values.drop_front(6))};
}

Values LatentConsumer::emit() {
  Value zero = Int(b, 0).value;
  SplitSums results(parts, warpgroup);
  // Carried: uses of either buffer and of the queries.
  auto [end, uses] = parts.forEachPiece(
      {zero, zero, zero}, [&](const Piece &piece, mlir::ValueRange before) -> Values {
        Int queriesTurn(b, before[2]);
        BlockRows rows = parts.getRows(piece.token, piece.tile);
        Context context{
            piece, {parts.getLength(rows, row), parts.getLength(rows, row + 8)}, rows.shortest};
        State state{Int(b, before[0]), Int(b, before[1]), softmax.getStart(),
                    Values(kHalves * kHalfSums, constantFloat(b, 0))};
        wait(LatentMemory::kQueriesFull, queriesTurn);
        state = warpgroup == 0 ? computeEven(context, state) : computeOdd(context, state);
        arriveIf(memory.barriers, LatentMemory::kQueriesEmpty, lane == 0);
        results.put(piece, state.sums, addRows(state.rows, queriesTurn));
        return {state.even.value, state.odd.value, (queriesTurn + 1).value};
      });
  return {end.token.value, end.start.value};
}

/// Warpgroup 0. The first block is peeled off, so that the sums of an odd block and the scores of
/// the next even one, which run at once, begin and end in one body.
LatentConsumer::State LatentConsumer::computeEven(const Context &context, State state) {
  const Piece &piece = context.piece;
  auto finish = [&](Value started, const Int &block) {
    Values done = waitScores(started, 0);
    Weights weights = makeWeights(context, done, 0, block, state.rows);
    state.sums = startSums(context, 0, block, weights, state.sums);
    state.sums = finishSums(state.sums, 0);
    state.even = state.even + 1;
  };
  auto startOdd = [&](const Int &block) {
    Weights weights = takeWeights(1, state.odd, state.rows);
    state.sums = startSums(context, 1, block, weights, state.sums);
    state.odd = state.odd + 1;
  };
  finish(startScores(0, state.even), piece.begin);
  Int count = piece.end - piece.begin, pairs = (count + 1) >> 1;
  Values looped = forLoop(Int(b, 1), pairs, Int(b, 1), state.getValues(),
                          [&](Int pair, mlir::ValueRange carried) -> Values {
                            state = State::get(b, carried);
                            Int block = piece.begin + (pair << 1);
                            startOdd(block - 1);
                            Value started = startScores(0, state.even, [&] {
                              state.sums = finishSums(state.sums, 1, /*later=*/1);
                            });
                            finish(started, block);
                            return state.getValues();
                          });
  State after = State::get(b, looped);
  llvm::SmallVector<mlir::Type> types(mlir::ValueRange(looped).getTypes());
  Values done = choose((count & 1) == 0, types,
                       [&] {
                         state = after;
                         startOdd(piece.end - 1);
                         state.sums = finishSums(state.sums, 1);
                         return state.getValues();
                       },
                       [&] { return after.getValues(); });
  return State::get(b, done);
}

/// Warpgroup 1.
LatentConsumer::State LatentConsumer::computeOdd(const Context &context, State state) {
  const Piece &piece = context.piece;
  auto startEven = [&](const Int &block) {
    Weights weights = takeWeights(0, state.even, state.rows);
    state.sums = startSums(context, 0, block, weights, state.sums);
    state.even = state.even + 1;
  };
  Int count = piece.end - piece.begin;
  Values looped = forLoop(Int(b, 0), count >> 1, Int(b, 1), state.getValues(),
                          [&](Int pair, mlir::ValueRange carried) -> Values {
                            state = State::get(b, carried);
                            Int even = piece.begin + (pair << 1), odd = even + 1;
                            Values done = waitScores(startScores(1, state.odd), 1);
                            startEven(even);
                            Weights weights = makeWeights(context, done, 1, odd, state.rows);
                            state.sums = finishSums(state.sums, 0);
                            state.sums = startSums(context, 1, odd, weights, state.sums);
                            state.sums = finishSums(state.sums, 1);
                            state.odd = state.odd + 1;
                            return state.getValues();
                          });
  State after = State::get(b, looped);
  llvm::SmallVector<mlir::Type> types(mlir::ValueRange(looped).getTypes());
  Values done = choose((count & 1) != 0, types,
                       [&] {
                         state = after;
                         startEven(piece.end - 1);
                         state.sums = finishSums(state.sums, 0);
                         return state.getValues();
                       },
                       [&] { return after.getValues(); });
  return State::get(b, done);
}

//===----------------------------------------------------------------------===//
// Scores and weights
//===----------------------------------------------------------------------===//

void LatentConsumer::release(int64_t buffer, BoxGroup group) {
  arriveIf(memory.barriers, LatentMemory::getEmpty(buffer, group), lane == 0);
}

Value LatentConsumer::startScores(int64_t buffer, const Int &turn,
                                  llvm::function_ref<void()> afterFirst) {
  // Were the descriptors not pinned, LLVM would compute all 72 of them outside of the loop.
  Value x = pin(b, queries), y = pin(b, keys[buffer]), sums;
  for (BoxGroup group : LatentMemory::getOrder(buffer)) {
    bool isFirst = !sums;
    wait(LatentMemory::getFull(buffer, group), turn);
    fenceProducts(b);
    auto [first, count] = LatentMemory::getBoxes(group);
    for (int64_t box = first; box < first + count; ++box)
      sums = scores.add(scores.skipRows(x, 64 * box), scores.skipRows(y, 64 * box), sums);
    if (isFirst && afterFirst) {
      commitProducts(b);
      afterFirst();
    }
  }
  commitProducts(b);
  return sums;
}

Values LatentConsumer::waitScores(Value started, int64_t buffer) {
  Values done = scores.wait(started);
  release(buffer, BoxGroup::Rope);
  return done;
}

LatentConsumer::Weights LatentConsumer::makeWeights(const Context &context, mlir::ValueRange scores,
                                                    int64_t buffer, const Int &block, Rows &rows) {
  Values shown = softmax.hide(scores, block << 6, context.lengths, context.shortest);
  LazySoftmax::Step step = softmax.add(shown, rows);
  rows = step.rows;
  Weights weights{values.pack(step.weights), step.factors};
  for (int64_t i = 0; i < 4; ++i)
    store(makeVector(b, mlir::ValueRange(weights.packed).slice(4 * i, 4)), exchange + 2048 * i, 16);
  for (int64_t half : {0, 1})
    store(rows.reference[half], maxima + (256 * buffer + 32 * half), 4);
  arriveNamed(b, kWeights + buffer, kThreads);
  return weights;
}

LatentConsumer::Weights LatentConsumer::takeWeights(int64_t buffer, const Int &turn, Rows &rows) {
  syncNamed(b, Int(b, kWeights + buffer), kThreads);
  Weights weights;
  for (int64_t i = 0; i < 4; ++i) {
    Value line = load(exchange + 2048 * i, mlir::VectorType::get(4, b.getI32Type()), 16);
    llvm::append_range(weights.packed, getElements(b, line));
  }
  Values references;
  for (int64_t half : {0, 1})
    references.push_back(load(maxima + (256 * buffer + 32 * half), b.getF32Type(), 4));
  weights.factors = softmax.follow(rows, references);
  for (BoxGroup group : groups)
    wait(LatentMemory::getFull(buffer, group), turn);
  return weights;
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

Values LatentConsumer::startSums(const Context &context, int64_t buffer, const Int &block,
                                 const Weights &weights, mlir::ValueRange sums) {
  Values scaled = softmax.rescale(sums, weights.factors);
  clearBehind(context, buffer, block);
  Value rows = pin(b, latents[buffer]);
  Values started;
  for (int64_t half = 0; half < kHalves; ++half)
    llvm::append_range(started,
                       values.start(weights.packed, values.skipBoxes(rows, kHalfBoxes * half),
                                    mlir::ValueRange(scaled).slice(kHalfSums * half, kHalfSums)));
  return started;
}

Values LatentConsumer::finishSums(mlir::ValueRange sums, int64_t buffer, unsigned later) {
  Values done;
  for (int64_t half = 0; half < kHalves; ++half) {
    unsigned younger = kHalves - 1 - half + later;
    llvm::append_range(done, waitProducts(b, younger, sums.slice(kHalfSums * half, kHalfSums)));
    release(buffer, groups[half]);
  }
  return done;
}

void LatentConsumer::clearBehind(const Context &context, int64_t buffer, const Int &block) {
  Int rest = context.piece.tile.longest & 63;
  ifThen((block + 1 == context.piece.blocks) & (rest != 0), [&] {
    Value zeros = makeVector(b, Values(4, Int(b, 0).value));
    Shared first = memory.getBuffer(buffer) +
                   warpgroup * kBoxesOfColumns * LatentMemory::kBoxBytes + (rest << 7);
    forLoop(thread, (Int(b, 64) - rest) << 3, Int(b, 128), [&](Int chunk) {
      for (int64_t box = 0; box < kBoxesOfColumns; ++box)
        store(zeros, first + (chunk << 4) + box * LatentMemory::kBoxBytes, 16);
    });
    fenceCopies(b);
    syncNamed(b, Int(b, kCleared + warpgroup), 128);
  });
}

/// Sums of weights over a row's four lanes and both warpgroups.
LatentConsumer::Rows LatentConsumer::addRows(Rows rows, const Int &turn) {
  Shared place = memory.sums + (((turn & 1) << 9) + (row << 2));
  for (int64_t half : {0, 1}) {
    rows.sum[half] = softmax.addOverQuad(rows.sum[half]);
    store(rows.sum[half], place + (256 * warpgroup + 32 * half), 4);
  }
  SplitSums::meet(b);
  for (int64_t half : {0, 1}) {
    Value other = load(place + (256 * (1 - warpgroup) + 32 * half), b.getF32Type(), 4);
    rows.sum[half] = addFloat(b, rows.sum[half], other);
  }
  return rows;
}
