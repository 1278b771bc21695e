#include "codegen/target/nvidia/hopper/LatentProducer.h"

using namespace moec::hopper;

namespace {

class Producer {
public:
  explicit Producer(const LatentParts &parts) : parts(parts), b(parts.b), memory(parts.memory) {}

  void emit();

private:
  /// Block `block` of a sequence into a buffer that has been filled `turn` times.
  void bringBlock(const Int &sequence, const Int &block, int64_t buffer, const Int &turn);
  Shared getBarrier(int64_t offset) const { return memory.barriers + offset; }

  const LatentParts &parts;
  Builder &b;
  const LatentMemory &memory;
};

} // namespace

void Producer::emit() {
  Value zero = Int(b, 0).value;
  // Carried: how often either buffer and the queries have been filled.
  parts.forEachPiece(
      {zero, zero, zero}, [&](const LatentParts::Piece &piece, mlir::ValueRange before) -> Values {
        Int sequence = parts.tiles.getSequence(piece.token), queries(b, before[2]);
        Int pairs = (piece.end - piece.begin + 1) >> 1;
        bringQueries(parts, piece, queries);
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
}

static void bringHeads(const LatentParts &parts, const BlockRows &rows, int64_t token) {
  Builder &b = parts.b;
  Shared barrier = parts.memory.barriers + LatentMemory::kQueriesFull;
  Shared to = parts.memory.queries + token * parts.sizes.blockHeads * 128;
  for (int64_t box = 0; box < LatentMemory::kBoxes; ++box) {
    bool isRope = box == LatentMemory::kRopeBox;
    copyBox(to + box * LatentMemory::kBoxBytes, isRope ? parts.ropeMap : parts.latentMap,
            {Int(b, isRope ? 0 : 64 * box).value, rows.head.value, (rows.token + token).value},
            barrier);
  }
}

void moec::hopper::bringQueries(const LatentParts &parts, const LatentParts::Piece &piece,
                                const Int &turn) {
  BlockRows rows = parts.getRows(piece.token, piece.tile);
  Shared barriers = parts.memory.barriers;
  int64_t bytes = parts.sizes.blockHeads * LatentProblem::kWidth * 2;
  waitBarrier(barriers + LatentMemory::kQueriesEmpty, (turn & 1) ^ 1);
  arriveExpecting(barriers + LatentMemory::kQueriesFull, rows.count * bytes);
  bringHeads(parts, rows, 0);
  for (int64_t token = 1; token < parts.sizes.blockTokens; ++token)
    ifThen(Int(parts.b, token) < rows.count, [&] { bringHeads(parts, rows, token); });
}

void Producer::bringBlock(const Int &sequence, const Int &block, int64_t buffer, const Int &turn) {
  Int row = parts.getCacheRow(sequence, block), parity = (turn & 1) ^ 1;
  for (BoxGroup group : LatentMemory::getOrder(buffer)) {
    auto [first, count] = LatentMemory::getBoxes(group);
    Shared full = getBarrier(LatentMemory::getFull(buffer, group));
    waitBarrier(getBarrier(LatentMemory::getEmpty(buffer, group)), parity);
    arriveExpecting(full, Int(b, count * LatentMemory::kBoxBytes));
    for (int64_t box = first; box < first + count; ++box)
      copyBox(memory.getBuffer(buffer) + box * LatentMemory::kBoxBytes, parts.cacheMap,
              {Int(b, 64 * box).value, row.value}, full);
  }
}

void moec::hopper::emitLatentProducer(const LatentParts &parts) { Producer(parts).emit(); }
