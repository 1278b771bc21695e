#include "codegen/target/nvidia/hopper/LatentConsumer.h"

#include "codegen/target/nvidia/hopper/SplitSums.h"

using namespace moec::hopper;

// Where both warpgroups meet: the weights of an even or an odd block are there. Who has put them
// waits, too: an arrival alone was no faster, and compute-sanitizer takes what is read behind one
// for a race.
static constexpr int64_t kWeights = 1, kThreads = 256;
// Of a thread: lines of 16 bytes with weights, then one with references and sums.
static constexpr int64_t kWeightLines = 4, kLineBytes = 2048;
// Barriers of one.
static constexpr int64_t kCleared = 5;

// A warpgroup's columns are summed in halves, so that the first boxes are freed earlier.
static constexpr int64_t kHalfColumns = 128, kHalfSums = 64, kHalfBoxes = 2;
static constexpr int64_t kHalves = 2;
static constexpr int64_t kBoxesOfColumns = 4;

LatentConsumer::LatentConsumer(const LatentParts &parts, int64_t warpgroup)
    : parts(parts), b(parts.b), memory(parts.memory), pieces(parts), warpgroup(warpgroup),
      scores(b, Operand::BFloat16, 64), values(b, kHalfColumns), softmax(b, parts.problem.scale),
      thread(getThread(b) & 127), lane(getThread(b) & 31), row(((thread >> 5) << 4) + (lane >> 2)),
      exchange(memory.weights + (thread << 4)) {
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
  Values all{turns.value};
  llvm::append_range(all, rows.getValues());
  llvm::append_range(all, sums);
  return all;
}

LatentConsumer::State LatentConsumer::State::get(Builder &b, mlir::ValueRange values) {
  return {Int(b, values[0]), Rows::get(values.slice(1, 4)), Values(values.drop_front(5))};
}

void LatentConsumer::emit() {
  whileLoop(
      b, {Int(b, 0).value},
      [&](mlir::ValueRange at) { return pieces.take(Int(b, at[0]) >> kQueries).getEnd() != 0; },
      [&](mlir::ValueRange at) -> Values {
        Int turns(b, at[0]);
        Piece piece = pieces.get(pin(turns) >> kQueries); // no place but this one is kept
        Int longest = piece.getLongest();
        Context context{piece, piece.getShortest(),
                        select((longest & 63) != 0, longest >> 6, Int(b, -1))};
        State state{turns, softmax.getStart(), Values(kHalves * kHalfSums, constantFloat(b, 0))};
        state = warpgroup == 0 ? computeEven(context, state) : computeOdd(context, state);
        arriveIf(memory.barriers, LatentMemory::kQueriesEmpty, lane == 0);
        SplitSums(parts, warpgroup).put(piece, state.sums, softmax.addOverQuad(state.rows));
        return {(state.turns ^ (1 << kQueries)).value};
      });
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
    state.flip(0);
  };
  auto startOdd = [&](const Int &block) {
    Weights weights = takeWeights(1, state.getTurn(1), state.rows);
    state.sums = startSums(context, 1, block, weights, state.sums);
    state.flip(1);
  };
  Int begin = piece.getBegin();
  Int queriesTurn = state.getTurn(kQueries);
  finish(startScores(0, state.getTurn(0), nullptr, &queriesTurn), begin);
  Values looped = forLoop(begin + 2, piece.getEnd(), Int(b, 2), state.getValues(),
                          [&](Int block, mlir::ValueRange carried) -> Values {
                            state = State::get(b, carried);
                            startOdd(block - 1);
                            Value started = startScores(0, state.getTurn(0), [&] {
                              state.sums = finishSums(state.sums, 1, /*later=*/1);
                            });
                            finish(started, block);
                            return state.getValues();
                          });
  State after = State::get(b, looped);
  llvm::SmallVector<mlir::Type> types(mlir::ValueRange(looped).getTypes());
  Values done = choose(
      piece.isEven(), types,
      [&] {
        state = after;
        startOdd(piece.getEnd() - 1);
        state.sums = finishSums(state.sums, 1);
        return state.getValues();
      },
      [&] {
        meetForWeights(1); // has taken the last
        return after.getValues();
      });
  return State::get(b, done);
}

/// Warpgroup 1.
LatentConsumer::State LatentConsumer::computeOdd(const Context &context, State state) {
  const Piece &piece = context.piece;
  auto startEven = [&](const Int &block) {
    Weights weights = takeWeights(0, state.getTurn(0), state.rows);
    state.sums = startSums(context, 0, block, weights, state.sums);
    state.flip(0);
  };
  for (BoxGroup group : LatentMemory::getOrder(0))
    wait(LatentMemory::getQueriesFull(group), state.getTurn(kQueries));
  Values looped = forLoop(piece.getBegin() + 1, piece.getEnd(), Int(b, 2), state.getValues(),
                          [&](Int block, mlir::ValueRange carried) -> Values {
                            state = State::get(b, carried);
                            Values done = waitScores(startScores(1, state.getTurn(1)), 1);
                            startEven(block - 1);
                            Weights weights = makeWeights(context, done, 1, block, state.rows);
                            state.sums = finishSums(state.sums, 0);
                            state.sums = startSums(context, 1, block, weights, state.sums);
                            state.sums = finishSums(state.sums, 1);
                            state.flip(1);
                            return state.getValues();
                          });
  State after = State::get(b, looped);
  llvm::SmallVector<mlir::Type> types(mlir::ValueRange(looped).getTypes());
  Values done = choose(
      piece.isEven(), types, [&] { return after.getValues(); },
      [&] {
        state = after;
        startEven(piece.getEnd() - 1);
        meetForWeights(1); // the place is free
        state.sums = finishSums(state.sums, 0);
        return state.getValues();
      });
  return State::get(b, done);
}

//===----------------------------------------------------------------------===//
// Scores and weights
//===----------------------------------------------------------------------===//

void LatentConsumer::release(int64_t buffer, BoxGroup group) {
  arriveIf(memory.barriers, LatentMemory::getEmpty(buffer, group), lane == 0);
}

Value LatentConsumer::startScores(int64_t buffer, const Int &turn,
                                  llvm::function_ref<void()> afterFirst, const Int *queriesTurn) {
  // Were the descriptors not pinned, LLVM would compute all 72 of them outside of the loop.
  Value x = pin(b, queries), y = pin(b, keys[buffer]), sums;
  for (BoxGroup group : LatentMemory::getOrder(buffer)) {
    bool isFirst = !sums;
    wait(LatentMemory::getFull(buffer, group), turn);
    if (queriesTurn)
      wait(LatentMemory::getQueriesFull(group), *queriesTurn);
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

Values LatentConsumer::hideScores(const Context &context, mlir::ValueRange scores,
                                  const Int &block) {
  llvm::SmallVector<mlir::Type> types(scores.getTypes());
  Int first = block << 6;
  // Registers are fewer where cached rows are quantized.
  Int shortest = parts.problem.quantizedCache ? context.piece.getShortest() : context.shortest;
  return choose(
      shortest < first + 64, types,
      [&] {
        std::array<Int, 2> lengths{shortest, shortest};
        if (parts.sizes.blockTokens > 1)
          for (int64_t half : {0, 1})
            lengths[half] = parts.getLength(context.piece.getRows(), row + 8 * half);
        return softmax.hide(scores, first, lengths);
      },
      [&] { return Values(scores); });
}

void LatentConsumer::meetForWeights(int64_t buffer) {
  syncNamed(b, Int(b, kWeights + buffer), kThreads);
}

LatentConsumer::Weights LatentConsumer::makeWeights(const Context &context, mlir::ValueRange scores,
                                                    int64_t buffer, const Int &block, Rows &rows) {
  Values shown = hideScores(context, scores, block);
  LazySoftmax::Step step = softmax.add(shown, rows);
  rows = step.rows;
  Weights weights{values.pack(step.weights), step.factors};
  Values lines(weights.packed);
  for (int64_t i = 0; i < kWeightLines; ++i)
    store(makeVector(b, mlir::ValueRange(lines).slice(4 * i, 4)), exchange + kLineBytes * i, 16);
  store(makeVector(b, {rows.reference[0], rows.reference[1], step.sums[0], step.sums[1]}),
        exchange + kLineBytes * kWeightLines, 16);
  meetForWeights(buffer);
  return weights;
}

LatentConsumer::Weights LatentConsumer::takeWeights(int64_t buffer, const Int &turn, Rows &rows) {
  meetForWeights(buffer);
  Weights weights;
  auto take = [&](int64_t line, mlir::Type type) {
    return getElements(b, load(exchange + kLineBytes * line, mlir::VectorType::get(4, type), 16));
  };
  for (int64_t i = 0; i < kWeightLines; ++i)
    llvm::append_range(weights.packed, take(i, b.getI32Type()));
  Values of = take(kWeightLines, b.getF32Type());
  weights.factors = softmax.follow(rows, {{of[0], of[1]}, {of[2], of[3]}});
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
  if (!parts.problem.quantizedCache) // or it is clear already
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
  ifThen(block == context.lastPart, [&] {
    Int rest = context.piece.getLongest() & 63;
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
