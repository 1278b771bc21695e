#include "codegen/target/nvidia/hopper/LatentProducer.h"

#include "codegen/target/nvidia/hopper/LatentPieces.h"

using namespace moec::hopper;

static constexpr unsigned kPages = 4; // of the dims

namespace {

class Producer {
public:
  Producer(const LatentParts &parts, const Int &oldRows)
      : parts(parts), oldRows(oldRows), b(parts.b), memory(parts.memory), pieces(parts),
        pages(parts.frame.getDim(kPages)),
        table(parts.frame.getSlot(parts.problem.slots.blockTable)) {}

  void emit();

private:
  /// How often either buffer and the queries have been filled.
  struct Turns {
    Int even, odd, queries;
  };
  Values bringPiece(const LatentParts::Piece &piece, const Turns &turns);
  void waitFreeQueries(const Int &turn);
  void bringQueries(const LatentParts::Piece &piece, const Int &turn);
  void bringHeads(const BlockRows &rows, BoxGroup group, int64_t token);
  /// Block `block` of a sequence into a buffer that has been filled `turn` times.
  void bringBlock(const Int &sequence, const Int &block, int64_t buffer, const Int &turn);
  Int getCacheRow(const Int &sequence, const Int &block);
  /// A place of which nothing is computed in advance: 27 of them would take as many registers.
  static Shared pinPlace(const Shared &place) { return Shared::at(pin(place.getAddress())); }

  const LatentParts &parts;
  Int oldRows;
  Builder &b;
  const LatentMemory &memory;
  LatentPieces pieces;
  Int pages; // of a sequence: columns of the block table
  Global table;
};

} // namespace

void Producer::emit() {
  Value zero = Int(b, 0).value;
  pieces.clear();
  // Carried: how often either buffer and the queries have been filled.
  Values all = parts.forEachPiece(
      {zero, zero, zero}, [&](const LatentParts::Piece &piece, mlir::ValueRange before) -> Values {
        return bringPiece(piece, {Int(b, before[0]), Int(b, before[1]), Int(b, before[2])});
      });
  Int queries(b, all[2]);
  waitFreeQueries(queries);
  pieces.end(queries);
}

static void unless(const Bool &condition, llvm::function_ref<void()> no) {
  ifThen(condition, [] {}, no);
}

/// Blocks that are older than the step need not wait for the launch before: a step begins with what
/// its launches read of the host, behind all that the step before has written.
Values Producer::bringPiece(const LatentParts::Piece &piece, const Turns &turns) {
  Int sequence = parts.tiles.getSequence(piece.token), second = piece.begin + 1;
  Int old = select(parts.plan->isFirst(piece), oldRows >> 6, Int(b, 0)); // blocks
  Bool isEarly = (second < old) & (second < piece.end);
  unless(piece.begin < old, [&] { waitDependencies(b); });
  bringBlock(sequence, piece.begin, 0, turns.even);
  ifThen(isEarly, [&] { bringBlock(sequence, second, 1, turns.odd); });
  waitDependencies(b);
  bringQueries(piece, turns.queries);
  Values after =
      forLoop(second, piece.end, Int(b, 2), {(turns.even + 1).value, turns.odd.value},
              [&](Int block, mlir::ValueRange carried) -> Values {
                Int even(b, carried[0]), odd(b, carried[1]);
                unless(isEarly & (block == second), [&] { bringBlock(sequence, block, 1, odd); });
                Bool isMore = block + 1 < piece.end;
                ifThen(isMore, [&] { bringBlock(sequence, block + 1, 0, even); });
                return {(even + toInt(isMore)).value, (odd + 1).value};
              });
  return {after[0], after[1], (turns.queries + 1).value};
}

void Producer::waitFreeQueries(const Int &turn) {
  waitBarrier(memory.barriers, LatentMemory::kQueriesEmpty, (turn & 1) ^ 1);
}

/// In the order in which the first block's scores read them.
void Producer::bringQueries(const LatentParts::Piece &piece, const Int &turn) {
  BlockRows rows = parts.getRows(piece.token, piece.tile);
  int64_t boxBytes = parts.sizes.blockHeads * 128;
  waitFreeQueries(turn);
  pieces.put(piece, turn);
  for (BoxGroup group : LatentMemory::getOrder(0)) {
    int64_t boxes = LatentMemory::getBoxes(group).second;
    arriveExpecting(pinPlace(memory.barriers) + LatentMemory::getQueriesFull(group),
                    rows.count * (boxes * boxBytes));
    bringHeads(rows, group, 0);
    for (int64_t token = 1; token < parts.sizes.blockTokens; ++token)
      ifThen(Int(b, token) < rows.count, [&] { bringHeads(rows, group, token); });
  }
}

void Producer::bringHeads(const BlockRows &rows, BoxGroup group, int64_t token) {
  Shared to = pinPlace(memory.queries) + token * parts.sizes.blockHeads * 128;
  Shared barrier = pinPlace(memory.barriers) + LatentMemory::getQueriesFull(group);
  bool isRope = group == BoxGroup::Rope;
  auto [first, count] = LatentMemory::getBoxes(group);
  for (int64_t box = first; box < first + count; ++box)
    copyBox(to + box * LatentMemory::kBoxBytes, isRope ? parts.ropeMap : parts.latentMap,
            {Int(b, isRope ? 0 : 64 * box).value, rows.head.value, (rows.token + token).value},
            barrier);
}

Int Producer::getCacheRow(const Int &sequence, const Int &block) {
  int64_t blocks = parts.problem.page / ContextPlan::kBlockRows; // of a page
  Int entry = sequence * pages + block / blocks;
  Int page(b, load(table.at(entry, 4), b.getI32Type(), 4));
  return page * parts.problem.page + (block % blocks) * ContextPlan::kBlockRows;
}

void Producer::bringBlock(const Int &sequence, const Int &block, int64_t buffer, const Int &turn) {
  Int row = getCacheRow(sequence, block), parity = (turn & 1) ^ 1;
  Shared to = pinPlace(memory.getBuffer(buffer)), barriers = pinPlace(memory.barriers);
  for (BoxGroup group : LatentMemory::getOrder(buffer)) {
    auto [first, count] = LatentMemory::getBoxes(group);
    Shared full = barriers + LatentMemory::getFull(buffer, group);
    waitBarrier(barriers, LatentMemory::getEmpty(buffer, group), parity);
    arriveExpecting(full, Int(b, count * LatentMemory::kBoxBytes));
    for (int64_t box = first; box < first + count; ++box)
      copyBox(to + box * LatentMemory::kBoxBytes, parts.cacheMap,
              {Int(b, 64 * box).value, row.value}, full);
  }
}

void moec::hopper::emitLatentProducer(const LatentParts &parts, const Int &oldRows) {
  Producer(parts, oldRows).emit();
}
