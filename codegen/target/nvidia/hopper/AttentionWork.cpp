#include "codegen/target/nvidia/hopper/AttentionWork.h"

#include "codegen/target/nvidia/hopper/WarpReduce.h"

#include "llvm/Support/MathExtras.h"

using namespace moec::hopper;
using mlir::ValueRange;

static constexpr int64_t kBlockRows = 64, kLanes = 32;

static Int loadInt(const Global &array, const Int &index) {
  Builder &b = *array.b;
  return Int(b, load(array.at(index, 4), b.getI32Type(), 4));
}

Values
AttentionWork::forEach(ValueRange init,
                       llvm::function_ref<Values(const AttentionItem &, ValueRange)> body) const {
  Values start = getStart();
  size_t own = start.size();
  start.append(init.begin(), init.end());
  Builder &b = *hasItem(ValueRange(start).take_front(own)).b;
  Values last = whileLoop(
      b, start, [&](ValueRange carried) { return hasItem(carried.take_front(own)); },
      [&](ValueRange carried) {
        AttentionItem item = getItem(carried.take_front(own));
        Values after = body(item, carried.drop_front(own));
        Values next = getNext(carried.take_front(own), item);
        next.append(after);
        return next;
      });
  return Values(last.begin() + own, last.end());
}

void moec::hopper::setContext(AttentionItem &item, const AttentionTokens &tokens) {
  Builder &b = *tokens.count.b;
  Int lane = getThread(b) & (kLanes - 1), most(b, 0), least(b, -1);
  for (int64_t part = 0; part < tokens.tileTokens; part += kLanes) {
    Int token = min(lane + part, item.tokens - 1);
    Int position = loadInt(tokens.positions, item.firstToken + token);
    most = max(most, position);
    least = min(least, position);
  }
  item.length = broadcast(reduceWarp(most, max), 0) + 1;
  item.visible = broadcast(reduceWarp(least, min), 0) + 1;
  item.begin = Int(b, 0);
  item.end = ceilDiv(item.length, kBlockRows);
}

//===----------------------------------------------------------------------===//
// Whole contexts
//===----------------------------------------------------------------------===//

namespace {

/// State: the round, and the token where the next run begins.
class TileWork : public AttentionWork {
public:
  explicit TileWork(const AttentionTokens &tokens)
      : tokens(tokens), b(*tokens.count.b), lane(getThread(b) & (kLanes - 1)), block(getBlock(b)),
        blocks(getNumBlocks(b)), tiles(ceilDiv(tokens.count, tokens.tileTokens)) {}

protected:
  Values getStart() const override {
    Int round(b, 0);
    return {round.value, getFirstToken(getIndex(round)).value};
  }
  Bool hasItem(ValueRange state) const override {
    return getIndex(Int(b, state[0])) < tiles * tokens.heads;
  }
  AttentionItem getItem(ValueRange state) const override;
  Values getNext(ValueRange state, const AttentionItem &item) const override;

private:
  /// Every second round goes backwards.
  Int getIndex(const Int &round) const {
    Int within = select((round & 1) == 0, block, blocks - 1 - block);
    return round * blocks + within;
  }
  /// The last tokens, which mostly see most, come first.
  Int getFirstToken(const Int &index) const {
    return (tiles - 1 - index / tokens.heads) * tokens.tileTokens;
  }
  Int getEnd(const Int &index) const {
    return min(getFirstToken(index) + tokens.tileTokens, tokens.count);
  }
  Int countRun(const Int &first, const Int &end, const Int &sequence) const;

  AttentionTokens tokens;
  Builder &b;
  Int lane, block, blocks, tiles;
};

} // namespace

/// Tokens of `sequence` from `first` on, before another's or `end`.
Int TileWork::countRun(const Int &first, const Int &end, const Int &sequence) const {
  Int count(b, 0);
  for (int64_t part = 0; part < tokens.tileTokens; part += kLanes) {
    Int token = first + part + lane;
    Int found = loadInt(tokens.sequences, min(token, end - 1));
    Int others = ballot((token >= end) | (found != sequence));
    count = count + select(count == part, countTrailingZeros(others), Int(b, 0));
  }
  return count;
}

AttentionItem TileWork::getItem(ValueRange state) const {
  Int index = getIndex(Int(b, state[0]));
  AttentionItem item;
  item.firstToken = Int(b, state[1]);
  item.head = index % tokens.heads;
  item.sequence = loadInt(tokens.sequences, item.firstToken);
  item.tokens = countRun(item.firstToken, getEnd(index), item.sequence);
  setContext(item, tokens);
  return item;
}

Values TileWork::getNext(ValueRange state, const AttentionItem &item) const {
  Int round(b, state[0]), token = item.firstToken + item.tokens;
  Bool isDone = token >= getEnd(getIndex(round));
  Int next = round + toInt(isDone);
  return {next.value, select(isDone, getFirstToken(getIndex(next)), token).value};
}

std::unique_ptr<AttentionWork> moec::hopper::makeTileWork(const AttentionTokens &tokens) {
  return std::make_unique<TileWork>(tokens);
}

//===----------------------------------------------------------------------===//
// Split contexts
//===----------------------------------------------------------------------===//

namespace {

/// A table of the tiles' tokens in shared memory, each with what the tiles before it cost; the
/// tokens of a tile cost as much for each head, one head after the other.
/// State: the table's entry, the head, and what all before the tile cost.
class SplitWork : public AttentionWork {
public:
  SplitWork(KernelFrame &frame, const AttentionTokens &tokens, const SplitShape &shape);

protected:
  Values getStart() const override { return start; }
  Bool hasItem(ValueRange state) const override {
    return (Int(b, state[0]) < entries) & (Int(b, state[2]) < end);
  }
  AttentionItem getItem(ValueRange state) const override;
  Values getNext(ValueRange state, const AttentionItem &item) const override;

private:
  struct Entry {
    Int firstToken, tokens, sequence, length, before;
  };
  static constexpr int64_t kEntryBytes = 16, kTokenBits = 24;

  void fillTable();
  std::array<Int, 2> addTokens(const Int &first, const Int &entry, const Int &before);
  Int countParts(const Int &cost) const;
  Values planAlone(const Int &parts) const;
  Values planEven(const Int &total) const;
  Values findStart(const Int &begin) const;
  Entry getEntry(const Int &index) const;
  Int countBlocks(const Int &length) const { return ceilDiv(length, kBlockRows); }
  Int getCost(const Int &length) const { return countBlocks(length) + shape.overhead; }

  AttentionTokens tokens;
  SplitShape shape;
  Builder &b;
  Int lane;
  Shared table, header; // header: entries, the sum of their costs
  Int entries, part, begin, end;
  Values start;
};

} // namespace

SplitWork::SplitWork(KernelFrame &frame, const AttentionTokens &tokens, const SplitShape &shape)
    : tokens(tokens), shape(shape), b(frame.b), lane(getThread(b) & (kLanes - 1)),
      table(frame.allocate(shape.mostTokens * kEntryBytes, kEntryBytes)),
      header(frame.allocate(8, 8)) {
  ifThen(broadcast(getThread(b) / kLanes, 0) == 0, [&] { fillTable(); });
  syncBlock(b);
  Values made = getElements(b, load(header, mlir::VectorType::get(2, b.getI32Type()), 8));
  entries = Int(b, made[0]);
  Int cost(b, made[1]), parts = countParts(cost);
  Values plan = choose(
      parts >= 2, mlir::ValueRange(Values(6, cost.value)).getTypes(),
      [&] { return planAlone(parts); }, [&] { return planEven(cost * tokens.heads); });
  part = Int(b, plan[0]);
  begin = Int(b, plan[1]);
  end = Int(b, plan[2]);
  start.assign(plan.begin() + 3, plan.end());
}

/// Blocks of a part that add up soonest: more parts take less time each, but all of them are read
/// by the last. About sqrt(blocks) / 2.
static Int getBestPart(const Int &blocks) {
  constexpr int64_t kMost = 16;
  Int best(*blocks.b, 1);
  for (int64_t size = 1; size < kMost; ++size)
    best = best + toInt(blocks >= 4 * size * size + 1);
  return best;
}

/// How many blocks of the launch each head of each entry gets for itself; all entries cost `cost`.
/// Less than 2: too few for that.
Int SplitWork::countParts(const Int &cost) const {
  Int tiles = entries * tokens.heads, parts = getNumBlocks(b) / max(tiles, Int(b, 1));
  Int blocks = cost / max(entries, Int(b, 1)) - shape.overhead, half = parts >> 1;
  // Rather no two on one multiprocessor, where that does not make parts longer.
  return select(half * getBestPart(blocks) >= blocks, half, parts);
}

/// This block has a part of one tile, all of a tile's parts are alike but the last. In the terms of
/// even parts: of those that each tile would be cut into by its own parts' length.
Values SplitWork::planAlone(const Int &parts) const {
  Int tile = getBlock(b) / parts, first = tile * parts;
  Int index = tile / tokens.heads;
  Int blocks = countBlocks(getEntry(min(index, entries - 1)).length);
  Int size = max(ceilDiv(blocks, parts), getBestPart(blocks));
  Int before = first * size, ownBegin = getBlock(b) * size;
  Int used = select(ownBegin >= before + blocks, entries, index);
  return {size.value,
          ownBegin.value,
          min(ownBegin + size, before + blocks).value,
          used.value,
          (tile % tokens.heads).value,
          before.value};
}

Values SplitWork::planEven(const Int &total) const {
  Int blocks = getNumBlocks(b);
  Int size = max((total + blocks - 1) / blocks, Int(b, shape.leastBlocks + shape.overhead));
  Int ownBegin = getBlock(b) * size;
  Values plan{size.value, ownBegin.value, min(ownBegin + size, total).value};
  plan.append(findStart(ownBegin));
  return plan;
}

void SplitWork::fillTable() {
  Int zero(b, 0);
  Values made = forLoop(zero, tokens.count, Int(b, kLanes), {zero.value, zero.value},
                        [&](Int first, ValueRange carried) {
                          auto [entry, before] =
                              addTokens(first, Int(b, carried[0]), Int(b, carried[1]));
                          return Values{entry.value, before.value};
                        });
  ifThen(lane == 0, [&] { store(makeVector(b, made), header, 8); });
}

/// The entries of 32 tokens; returns how many there are then, and what they cost in sum. Tiles end
/// at multiples of their size, so none goes on in the next 32 tokens.
std::array<Int, 2> SplitWork::addTokens(const Int &first, const Int &entry, const Int &before) {
  Int token = first + lane, clamped = min(token, tokens.count - 1);
  Int sequence = loadInt(tokens.sequences, clamped);
  Int most = loadInt(tokens.positions, clamped) + 1;
  Bool exists = token < tokens.count;
  Bool begins = exists & (((lane % tokens.tileTokens) == 0) | (shuffleUp(sequence, 1) != sequence));
  Int firsts = ballot(begins), upToMe = (Int(b, 2) << lane) - 1;
  Int tileEnd = min(countTrailingZeros(firsts & (upToMe ^ -1)), tokens.count - first);
  for (int64_t distance : {1, 2, 4, 8, 16}) {
    Int other = shuffleDown(most, distance);
    most = select(lane + distance < tileEnd, max(most, other), most);
  }
  Int cost = select(begins, getCost(most), Int(b, 0)), sum = cost;
  for (int64_t distance : {1, 2, 4, 8, 16}) {
    Int other = shuffleUp(sum, distance);
    sum = sum + select(lane >= distance, other, Int(b, 0));
  }
  ifThen(begins, [&] {
    Int index = entry + countOnes(firsts & (upToMe >> 1));
    Values made{(token + ((tileEnd - lane) << kTokenBits)).value, sequence.value, most.value,
                (before + sum - cost).value};
    store(makeVector(b, made), table + index * kEntryBytes, kEntryBytes);
  });
  return {entry + countOnes(firsts), before + broadcast(sum, kLanes - 1)};
}

SplitWork::Entry SplitWork::getEntry(const Int &index) const {
  auto type = mlir::VectorType::get(4, b.getI32Type());
  Values made = getElements(b, load(table + index * kEntryBytes, type, kEntryBytes));
  Int tokensHere(b, made[0]);
  return {tokensHere & ((1 << kTokenBits) - 1), tokensHere >> kTokenBits, Int(b, made[1]),
          Int(b, made[2]), Int(b, made[3])};
}

/// The tile that this block's part begins in; the next one when the part begins with its overhead.
Values SplitWork::findStart(const Int &begin) const {
  Int zero(b, 0);
  Int begun(b, forLoop(zero, entries, Int(b, kLanes), {zero.value}, [&](Int first, ValueRange sum) {
              Int index = first + lane;
              Int before = getEntry(min(index, entries - 1)).before * tokens.heads;
              Int hits = ballot((index < entries) & (begin >= before));
              return Values{(Int(b, sum[0]) + countOnes(hits)).value};
            })[0]);
  Int index = begun - 1; // the first entry costs 0 before it
  Entry entry = getEntry(index);
  Int cost = getCost(entry.length), into = begin - entry.before * tokens.heads;
  Int head = min(into / cost, Int(b, tokens.heads - 1)); // behind the end: not used
  Int before = entry.before * tokens.heads + head * cost;
  Bool isOver = begin >= before + countBlocks(entry.length);
  Bool isLast = head + 1 == tokens.heads;
  return {select(isOver & isLast, index + 1, index).value,
          select(isOver, select(isLast, zero, head + 1), head).value,
          select(isOver, before + cost, before).value};
}

AttentionItem SplitWork::getItem(ValueRange state) const {
  Entry entry = getEntry(Int(b, state[0]));
  Int before(b, state[2]), blocks = countBlocks(entry.length);
  AttentionItem item;
  item.firstToken = entry.firstToken;
  item.tokens = entry.tokens;
  item.head = Int(b, state[1]);
  item.sequence = entry.sequence;
  item.length = entry.length;
  item.visible = select(entry.tokens == 1, entry.length, Int(b, 0));
  item.begin = minusOrZero(begin, before);
  item.end = min(blocks, end - before);
  item.firstBlock = before / part;
  item.lastBlock = (before + blocks - 1) / part;
  return item;
}

Values SplitWork::getNext(ValueRange state, const AttentionItem &item) const {
  Bool isLast = item.head + 1 == tokens.heads;
  return {select(isLast, Int(b, state[0]) + 1, Int(b, state[0])).value,
          select(isLast, Int(b, 0), item.head + 1).value,
          (Int(b, state[2]) + getCost(item.length)).value};
}

std::unique_ptr<AttentionWork> moec::hopper::makeSplitWork(KernelFrame &frame,
                                                           const AttentionTokens &tokens,
                                                           const SplitShape &shape) {
  return std::make_unique<SplitWork>(frame, tokens, shape);
}
