#include "codegen/target/nvidia/hopper/LatentPieces.h"

using namespace moec::hopper;

// Bytes, and places in LatentMemory::pieces.
static constexpr int64_t kPieceBytes = 48, kSharedBytes = 16, kMost = 2, kShared = 2 * kPieceBytes,
                         kNumber = kShared + kMost * kSharedBytes;
static_assert(kNumber + 4 <= LatentMemory::kPiecesBytes);

static Int loadInt(const Shared &from) { return Int(*from.b, load(from, from.b->getI32Type(), 4)); }

static void storeInts(const Shared &to, llvm::ArrayRef<Int> values) {
  Values line;
  for (const Int &value : values)
    line.push_back(value.value);
  store(makeVector(*to.b, line), to, 16);
}

Int LatentPieces::Piece::get(int64_t word) const { return loadInt(place + 4 * word); }

BlockRows LatentPieces::Piece::getRows() const { return {get(0), get(1), parts.getFirstHead()}; }

Shared LatentPieces::getPlace(const Int &turn) const {
  return parts.memory.pieces + ((turn & 1) * kPieceBytes);
}

void LatentPieces::clear() const { store(Int(b, 0).value, parts.memory.pieces + kNumber, 4); }

void LatentPieces::put(const LatentParts::Piece &piece, const Int &entry, const Int &turn) const {
  Shared place = getPlace(turn), number = parts.memory.pieces + kNumber;
  BlockRows rows = parts.getRows(piece.token, piece.tile);
  ContextPlan::Sharing sharing = parts.plan->getSharing(piece.start, piece.blocks);
  storeInts(place, {rows.token, rows.count, piece.begin, piece.end});
  storeInts(place + 16,
            {parts.getShortest(rows, piece.tile), piece.tile.longest, sharing.first, sharing.last});
  store(entry.value, place + 32, 4);
  ifThen(sharing.first != sharing.last, [&] {
    Int index = loadInt(number);
    storeInts(parts.memory.pieces + kShared + index * kSharedBytes,
              {rows.token, rows.count, sharing.first, sharing.last});
    store((index + 1).value, number, 4);
  });
  arrive();
}

void LatentPieces::end(const Int &turn) const {
  store(Int(b, 0).value, getPlace(turn) + 12, 4);
  arrive();
}

void LatentPieces::arrive() const {
  arriveIf(parts.memory.barriers, LatentMemory::kPiece, Int(b, 0) == 0);
}

LatentPieces::Piece LatentPieces::take(const Int &turn) const {
  waitBarrier(parts.memory.barriers, LatentMemory::kPiece, turn & 1);
  return get(turn);
}

Int LatentPieces::countShared() const { return loadInt(parts.memory.pieces + kNumber); }

SharedPart LatentPieces::getShared(const Int &index) const {
  Shared place = parts.memory.pieces + kShared + index * kSharedBytes;
  auto get = [&](int64_t word) { return loadInt(place + 4 * word); };
  return {{get(0), get(1), parts.getFirstHead()}, {get(2), get(3)}};
}
