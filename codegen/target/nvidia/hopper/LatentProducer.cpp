#include "codegen/target/nvidia/hopper/LatentProducer.h"

#include "codegen/target/nvidia/hopper/LatentPieces.h"

using namespace moec::hopper;

static constexpr unsigned kPages = 4; // of the dims

namespace {

class Producer {
public:
  explicit Producer(const LatentParts &parts)
      : parts(parts), b(parts.b), memory(parts.memory), pieces(parts),
        pages(parts.frame.getDim(kPages)),
        table(parts.frame.getSlot(parts.problem.slots.blockTable)) {}

  void emit();

private:
  void waitFreeQueries(const Int &turn);
  void bringQueries(const LatentParts::Piece &piece, const Int &turn);
  void bringHeads(const BlockRows &rows, int64_t token);
  /// Block `block` of a sequence into a buffer that has been filled `turn` times.
  void bringBlock(const Int &sequence, const Int &block, int64_t buffer, const Int &turn);
  Int getCacheRow(const Int &sequence, const Int &block);
  Shared getBarrier(int64_t offset) const { return memory.barriers + offset; }

  const LatentParts &parts;
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
        Int sequence = parts.tiles.getSequence(piece.token), queries(b, before[2]);
        Int pairs = (piece.end - piece.begin + 1) >> 1;
        bringQueries(piece, queries);
        Values turns = forLoop(Int(b, 0), pairs, Int(b, 1), before.take_front(2),
                               [&](Int pair, mlir::ValueRange carried) -> Values {
                                 Int even(b, carried[0]), odd(b, carried[1]);
                                 Int block = piece.begin + (pair << 1);
                                 bringBlock(sequence, block, 0, even);
                                 auto bringOdd = [&]() -> Values {
                                   bringBlock(sequence, block + 1, 1, odd);
                                   return {(odd + 1).value};
                                 };
                                 Values next =
                                     choose(block + 1 < piece.end, {b.getI32Type()}, bringOdd,
                                            [&]() -> Values { return {odd.value}; });
                                 return {(even + 1).value, next[0]};
                               });
        return {turns[0], turns[1], (queries + 1).value};
      });
  Int queries(b, all[2]);
  waitFreeQueries(queries);
  pieces.end(queries);
}

void Producer::waitFreeQueries(const Int &turn) {
  waitBarrier(memory.barriers, LatentMemory::kQueriesEmpty, (turn & 1) ^ 1);
}

void Producer::bringQueries(const LatentParts::Piece &piece, const Int &turn) {
  BlockRows rows = parts.getRows(piece.token, piece.tile);
  int64_t bytes = parts.sizes.blockHeads * LatentProblem::kWidth * 2;
  waitFreeQueries(turn);
  pieces.put(piece, turn);
  arriveExpecting(getBarrier(LatentMemory::kQueriesFull), rows.count * bytes);
  bringHeads(rows, 0);
  for (int64_t token = 1; token < parts.sizes.blockTokens; ++token)
    ifThen(Int(b, token) < rows.count, [&] { bringHeads(rows, token); });
}

void Producer::bringHeads(const BlockRows &rows, int64_t token) {
  Shared barrier = getBarrier(LatentMemory::kQueriesFull);
  Shared to = memory.queries + token * parts.sizes.blockHeads * 128;
  for (int64_t box = 0; box < LatentMemory::kBoxes; ++box) {
    bool isRope = box == LatentMemory::kRopeBox;
    copyBox(to + box * LatentMemory::kBoxBytes, isRope ? parts.ropeMap : parts.latentMap,
            {Int(b, isRope ? 0 : 64 * box).value, rows.head.value, (rows.token + token).value},
            barrier);
  }
}

Int Producer::getCacheRow(const Int &sequence, const Int &block) {
  int64_t blocks = parts.problem.page / ContextPlan::kBlockRows; // of a page
  Int entry = sequence * pages + block / blocks;
  Int page(b, load(table.at(entry, 4), b.getI32Type(), 4));
  return page * parts.problem.page + (block % blocks) * ContextPlan::kBlockRows;
}

void Producer::bringBlock(const Int &sequence, const Int &block, int64_t buffer, const Int &turn) {
  Int row = getCacheRow(sequence, block), parity = (turn & 1) ^ 1;
  for (BoxGroup group : LatentMemory::getOrder(buffer)) {
    auto [first, count] = LatentMemory::getBoxes(group);
    Shared full = getBarrier(LatentMemory::getFull(buffer, group));
    waitBarrier(memory.barriers, LatentMemory::getEmpty(buffer, group), parity);
    arriveExpecting(full, Int(b, count * LatentMemory::kBoxBytes));
    for (int64_t box = first; box < first + count; ++box)
      copyBox(memory.getBuffer(buffer) + box * LatentMemory::kBoxBytes, parts.cacheMap,
              {Int(b, 64 * box).value, row.value}, full);
  }
}

void moec::hopper::emitLatentProducer(const LatentParts &parts) { Producer(parts).emit(); }
