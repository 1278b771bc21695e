#include "codegen/target/nvidia/hopper/SharedTile.h"

#include "codegen/target/nvidia/hopper/SplitSums.h"

using namespace moec;
using namespace moec::hopper;

namespace {

// Threads of both warpgroups, and the parts of a row's sums that they make of it.
constexpr int64_t kThreads = 256, kWarps = kThreads / 32, kRows = 64, kQuarters = kThreads / kRows;
// Loads that a thread has under way at once.
constexpr int64_t kAtOnce = 4;
// Places in LatentMemory::weights: f32 [4][64] twice, then four f32 of each thread, twice.
constexpr int64_t kQuarterBytes = 4 * kRows, kSecond = kQuarters * kQuarterBytes,
                  kExchange = 2 * kSecond;

class SharedTile {
public:
  SharedTile(const LatentParts &parts, const SharedPart &part);

  /// `turn`: how often the barrier for it has completed.
  void addUp(const Int &turn);

private:
  void fetch();
  void makeWeights();
  void addEach();
  void addTogether();
  struct Terms {
    Values sums, weights; // a lane's of a unit; of two rows
  };
  /// What part `part` has for the sums at `sums` and the row at `row`.
  Terms load(const Shared &sums, const Shared &row, const Int &part) const;
  static Values addTerms(Builder &b, mlir::ValueRange before, const Terms &terms);
  void store(mlir::ValueRange sums, const Int &unit) const;
  void storeGroup(mlir::ValueRange sums, const Int &row, const Int &column) const;
  Int getRow(const Int &unit) const { return ((unit / slots.getWarpUnits()) << 4) + (lane >> 2); }
  Value loadFloat(const Shared &from) const { return hopper::load(from, b.getF32Type(), 4); }

  const LatentParts &parts;
  Builder &b;
  SplitSlots slots;
  ContextPlan::Sharing sharing;
  BlockRows rows;
  Int thread, lane, warp;
  Int count;              // parts
  Int share, first, mine; // units of each worker, and this one's
  Shared sums, states;    // fetched: [count][share] units, [count] rows
};

} // namespace

SharedTile::SharedTile(const LatentParts &parts, const SharedPart &part)
    : parts(parts), b(parts.b), slots(parts), sharing(part.sharing), rows(part.rows),
      thread(pin(getThread(b))), lane(thread & 31), warp(thread >> 5),
      count(sharing.last - sharing.first + 1) {
  Int units = parts.countWarps(rows) * slots.getWarpUnits();
  share = ceilDiv(units, count);
  first = (parts.worker - sharing.first) * share;
  mine = min(share, minusOrZero(units, first));
  sums = parts.memory.buffers;
  states = sums + count * share * SplitSlots::kUnitBytes;
}

void SharedTile::addUp(const Int &turn) {
  SplitSums::meet(b); // nobody uses the buffers any more
  fetch();
  waitBarrier(parts.memory.barriers, LatentMemory::kCombine, turn & 1);
  makeWeights();
  ifThen(mine * 32 >= kThreads + 1, [&] { addEach(); }, [&] { addTogether(); });
  fenceCopies(b); // before the next tile's
  SplitSums::meet(b);
  ifThen(thread == 0, [&] { countDown(slots.getCounter(sharing), (count << 1) - 1); });
}

/// Part i by warp i % 8.
void SharedTile::fetch() {
  Shared barrier = parts.memory.barriers + LatentMemory::kCombine;
  ifThen(thread == 0, [&] {
    waitCounter(slots.getCounter(sharing), count);
    arriveExpecting(barrier, count * ((mine + 1) * SplitSlots::kUnitBytes));
  });
  SplitSums::meet(b);
  fenceAllCopies(b);
  forLoop(lane * kWarps + warp, count, Int(b, kThreads), [&](Int part) {
    Int slot = slots.getSlot(sharing.first + part, part == 0);
    copyBulk(states + part * SplitSlots::kRowsBytes, slots.getRows(slot),
             Int(b, SplitSlots::kRowsBytes), barrier);
    ifThen(mine != 0, [&] {
      copyBulk(sums + part * (share * SplitSlots::kUnitBytes),
               slots.getSums(slot) + first * SplitSlots::kUnitBytes, mine * SplitSlots::kUnitBytes,
               barrier);
    });
  });
}

/// Each part's weight of each row, in the place of its reference, and 1 / the rows' sums at the
/// beginning of LatentMemory::weights. A row's parts are divided among four threads.
void SharedTile::makeWeights() {
  Int row = thread & (kRows - 1), quarter = thread >> 6;
  Shared result = parts.memory.weights + (row << 2), own = result + (quarter << 8);
  Shared state = states + (row << 3);
  // The i-th behind `part`; where there is none, `part` itself, since others' are being replaced.
  auto at = [&](const Int &part, int64_t i) {
    Int other = part + kQuarters * i;
    return state + (select(other < count, other, part) << 9);
  };
  Int step(b, kQuarters * kAtOnce);
  Values most = forLoop(quarter, count, step, {constantFloat(b, -1e30)},
                        [&](Int part, mlir::ValueRange carried) -> Values {
                          Value largest = carried[0];
                          for (int64_t i = 0; i < kAtOnce; ++i)
                            largest = maxFloat(b, largest, loadFloat(at(part, i)));
                          return {largest};
                        });
  hopper::store(most[0], own, 4);
  SplitSums::meet(b);
  Value largest = loadFloat(result);
  for (int64_t i = 1; i < kQuarters; ++i)
    largest = maxFloat(b, largest, loadFloat(result + i * kQuarterBytes));

  Values sum =
      forLoop(quarter, count, step, {constantFloat(b, 0)},
              [&](Int part, mlir::ValueRange carried) -> Values {
                Value total = carried[0];
                llvm::SmallVector<std::pair<Value, Value>> loaded;
                for (int64_t i = 0; i < kAtOnce; ++i) {
                  Shared place = at(part, i);
                  loaded.push_back({loadFloat(place), loadFloat(place + 4)});
                }
                for (auto [i, values] : llvm::enumerate(loaded)) {
                  Bool exists = part + kQuarters * i < count;
                  Value weight = exp2Fast(b, subtractFloat(b, values.first, largest));
                  total = fma(b, select(exists, weight, constantFloat(b, 0)), values.second, total);
                  if (slots.hasMeans())
                    weight = multiplyFloat(b, weight, values.second);
                  ifThen(exists, [&] { hopper::store(weight, at(part, i), 4); });
                }
                return {total};
              });
  hopper::store(sum[0], own + kSecond, 4);
  SplitSums::meet(b);
  ifThen(thread < kRows, [&] {
    Value total = loadFloat(result + kSecond);
    for (int64_t i = 1; i < kQuarters; ++i)
      total = addFloat(b, total, loadFloat(result + (kSecond + i * kQuarterBytes)));
    hopper::store(divideFloat(b, constantFloat(b, 1), total), result, 4);
  });
  SplitSums::meet(b);
}

SharedTile::Terms SharedTile::load(const Shared &sums, const Shared &row, const Int &part) const {
  Shared state = row + part * SplitSlots::kRowsBytes;
  Value line = hopper::load(sums + part * (share * SplitSlots::kUnitBytes), slots.getLine(), 16);
  return {slots.unpack(line), {loadFloat(state), loadFloat(state + 64)}};
}

Values SharedTile::addTerms(Builder &b, mlir::ValueRange before, const Terms &terms) {
  Values after;
  for (auto [i, sum] : llvm::enumerate(terms.sums))
    after.push_back(fma(b, sum, terms.weights[i / 2 % 2], before[i]));
  return after;
}

/// A unit's sums of this lane.
void SharedTile::store(mlir::ValueRange values, const Int &unit) const {
  Int first = (unit % slots.getWarpUnits()) * (8 * slots.getGroups()) + ((lane & 3) << 1);
  for (int64_t group = 0; group < slots.getGroups(); ++group)
    storeGroup(values.slice(4 * group, 4), getRow(unit), first + 8 * group);
}

/// Two columns of two rows.
void SharedTile::storeGroup(mlir::ValueRange values, const Int &row, const Int &column) const {
  int64_t bytes = parts.problem.floatResult ? 4 : 2;
  Global result = parts.frame.getSlot(parts.problem.slots.result)
                      .at(parts.getResultRow(rows) + row, LatentProblem::kLatent * bytes);
  for (unsigned half = 0; half < 2; ++half) {
    Value share = loadFloat(parts.memory.weights + (row << 2) + 32 * half);
    Values pair;
    for (unsigned i : {0, 1})
      pair.push_back(multiplyFloat(b, values[2 * half + i], share));
    Value line =
        parts.problem.floatResult ? makeVector(b, pair) : packBFloat16(b, pair[0], pair[1]);
    hopper::store(line, result + column * bytes + 8 * LatentProblem::kLatent * bytes * half,
                  2 * bytes);
  }
}

/// Few parts: each thread adds up four places of its own at once.
void SharedTile::addEach() {
  Int total = mine << 5;
  int64_t values = 4 * slots.getGroups();
  forLoop(thread, total, Int(b, kThreads * kAtOnce), [&](Int at) {
    llvm::SmallVector<Int> places, units;
    llvm::SmallVector<Shared> sumsAt, rowsAt;
    for (int64_t i = 0; i < kAtOnce; ++i) {
      Int place = at + kThreads * i;
      place = select(place < total, place, at);
      places.push_back(place);
      units.push_back(first + (place >> 5));
      sumsAt.push_back(sums + (place << 4));
      rowsAt.push_back(states + (getRow(units.back()) << 3));
    }
    Values added = forLoop(
        Int(b, 0), count, Int(b, 1), Values(values * kAtOnce, constantFloat(b, 0)),
        [&](Int part, mlir::ValueRange carried) -> Values {
          llvm::SmallVector<Terms> terms;
          for (int64_t i = 0; i < kAtOnce; ++i)
            terms.push_back(load(sumsAt[i], rowsAt[i], part));
          Values next;
          for (int64_t i = 0; i < kAtOnce; ++i)
            llvm::append_range(next, addTerms(b, carried.slice(values * i, values), terms[i]));
          return next;
        });
    for (int64_t i = 0; i < kAtOnce; ++i)
      ifThen(at + kThreads * i < total,
             [&] { store(mlir::ValueRange(added).slice(values * i, values), units[i]); });
  });
}

/// Many parts, and at most one unit a warp: the warps divide the parts of each unit.
void SharedTile::addTogether() {
  Int atLeastOne = max(mine, Int(b, 1)), shares = Int(b, kWarps) / atLeastOne;
  Int which = warp / atLeastOne, own = warp % atLeastOne, unit = first + own;
  Bool takesPart = (which < shares) & (mine != 0);
  Shared sumsAt = sums + ((own << 9) + (lane << 4)), rowsAt = states + (getRow(unit) << 3);
  Value zero = constantFloat(b, 0);
  int64_t values = 4 * slots.getGroups();
  Values added = forLoop(select(takesPart, which, count), count, shares * kAtOnce,
                         Values(values, zero), [&](Int part, mlir::ValueRange carried) -> Values {
                           llvm::SmallVector<Terms> terms;
                           for (int64_t i = 0; i < kAtOnce; ++i) {
                             Int other = part + shares * i;
                             terms.push_back(load(sumsAt, rowsAt, min(other, count - 1)));
                             for (Value &weight : terms.back().weights)
                               weight = select(other < count, weight, zero);
                           }
                           Values next(carried);
                           for (const Terms &term : terms)
                             next = addTerms(b, next, term);
                           return next;
                         });
  auto exchange = [&](const Int &of, int64_t group) {
    return parts.memory.weights + kExchange + (of << 4) + group * (16 * kThreads);
  };
  for (int64_t group = 0; group < slots.getGroups(); ++group)
    hopper::store(makeVector(b, mlir::ValueRange(added).slice(4 * group, 4)),
                  exchange(thread, group), 16);
  SplitSums::meet(b);
  ifThen(takesPart & (which == 0), [&] {
    Values total = forLoop(
        Int(b, 1), shares, Int(b, 1), added, [&](Int other, mlir::ValueRange carried) -> Values {
          Int from = ((other * atLeastOne + own) << 5) + lane;
          Values others;
          for (int64_t group = 0; group < slots.getGroups(); ++group)
            llvm::append_range(
                others, getElements(b, hopper::load(exchange(from, group),
                                                    mlir::VectorType::get(4, b.getF32Type()), 16)));
          Values next;
          for (auto [before, more] : llvm::zip(carried, others))
            next.push_back(addFloat(b, before, more));
          return next;
        });
    store(total, unit);
  });
}

void moec::hopper::addUpSharedTiles(const LatentParts &parts) {
  Builder &b = parts.b;
  LatentPieces pieces(parts);
  forLoop(Int(b, 0), pieces.countShared(), Int(b, 1),
          [&](Int i) { SharedTile(parts, pieces.getShared(i)).addUp(i); });
}
