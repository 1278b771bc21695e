#include "codegen/target/nvidia/hopper/LatentProducer.h"

#include "codegen/target/nvidia/hopper/LatentPieces.h"

using namespace moec::hopper;

static constexpr unsigned kPages = 4; // of the dims

namespace {

class Producer {
public:
  Producer(const LatentParts &parts, const Int &oldRows)
      : parts(parts), oldRows(oldRows), b(parts.b), memory(parts.memory), pieces(parts),
        pages(parts.frame.getDim(kPages)) {}

  void emit();

private:
  /// How often either buffer and the queries have been filled.
  struct Turns {
    Int even, odd, queries;
  };
  Values bringPiece(const LatentParts::Piece &piece, const Turns &turns);
  void waitFreeQueries(const Int &turn);
  void bringQueries(const LatentParts::Piece &piece, const Int &entry, const Int &turn);
  void bringHeads(const BlockRows &rows, BoxGroup group, int64_t token);
  /// Block `block` of a sequence into a buffer that has been filled `turn` times.
  void bringBlock(const Int &entry, const Int &block, int64_t buffer, const Int &turn);
  void bringGroup(const Int &row, int64_t buffer, BoxGroup group);
  /// A place of which nothing is computed in advance: 27 of them would take as many registers.
  static Shared pinPlace(const Shared &place) { return Shared::at(pin(place.getAddress())); }

  const LatentParts &parts;
  Int oldRows;
  Builder &b;
  const LatentMemory &memory;
  LatentPieces pieces;
  Int pages; // of a sequence: columns of the block table
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
  Int entry = parts.tiles.getSequence(piece.token) * pages, second = piece.begin + 1;
  Int old = select(parts.plan->isFirst(piece), oldRows >> 6, Int(b, 0)); // blocks
  Bool isEarly = (second < old) & (second < piece.end);
  unless(piece.begin < old, [&] { waitDependencies(b); });
  bringBlock(entry, piece.begin, 0, turns.even);
  ifThen(isEarly, [&] { bringBlock(entry, second, 1, turns.odd); });
  waitDependencies(b);
  bringQueries(piece, entry, turns.queries);
  Values after =
      forLoop(second, piece.end, Int(b, 2), {(turns.even + 1).value, turns.odd.value},
              [&](Int block, mlir::ValueRange carried) -> Values {
                Int even(b, carried[0]), odd(b, carried[1]);
                unless(isEarly & (block == second), [&] { bringBlock(entry, block, 1, odd); });
                Bool isMore = block + 1 < piece.end;
                ifThen(isMore, [&] { bringBlock(entry, block + 1, 0, even); });
                return {(even + toInt(isMore)).value, (odd + 1).value};
              });
  return {after[0], after[1], (turns.queries + 1).value};
}

void Producer::waitFreeQueries(const Int &turn) {
  waitBarrier(memory.barriers, LatentMemory::kQueriesEmpty, (turn & 1) ^ 1);
}

/// In the order in which the first block's scores read them.
void Producer::bringQueries(const LatentParts::Piece &piece, const Int &entry, const Int &turn) {
  BlockRows rows = parts.getRows(piece.token, piece.tile);
  int64_t boxBytes = parts.sizes.blockHeads * 128;
  waitFreeQueries(turn);
  pieces.put(piece, entry, turn);
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

void Producer::bringBlock(const Int &entry, const Int &block, int64_t buffer, const Int &turn) {
  Int row = parts.getCacheRow(entry, block), parity = (turn & 1) ^ 1;
  for (BoxGroup group : LatentMemory::getOrder(buffer)) {
    waitBarrier(pinPlace(memory.barriers), LatentMemory::getEmpty(buffer, group), parity);
    bringGroup(row, buffer, group);
  }
}

/// Codes of two boxes come to the second one's place.
void Producer::bringGroup(const Int &row, int64_t buffer, BoxGroup group) {
  bool isQuantized = parts.problem.quantizedCache, isKey = group == BoxGroup::Rope;
  bool isCodes = isQuantized && !isKey;
  auto [first, count] = LatentMemory::getBoxes(group);
  Shared to = pinPlace(memory.getBuffer(buffer));
  Shared full = pinPlace(memory.barriers) + (isCodes ? LatentMemory::getCodesFull(buffer, group)
                                                     : LatentMemory::getFull(buffer, group));
  arriveExpecting(full, Int(b, (isCodes ? 1 : count) * LatentMemory::kBoxBytes));
  auto bring = [&](int64_t box, Value map, int64_t column) {
    copyBox(to + box * LatentMemory::kBoxBytes, map, {Int(b, column).value, row.value}, full);
  };
  if (isCodes)
    return bring(first + 1, parts.cacheMap, 64 * first);
  for (int64_t box = first; box < first + count; ++box)
    bring(box, isQuantized ? parts.keyMap : parts.cacheMap, isQuantized ? 0 : 64 * box);
}

void moec::hopper::emitLatentProducer(const LatentParts &parts, const Int &oldRows) {
  Producer(parts, oldRows).emit();
}
