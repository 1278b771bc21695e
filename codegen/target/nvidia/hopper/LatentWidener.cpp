#include "codegen/target/nvidia/hopper/LatentWidener.h"

#include "codegen/target/nvidia/hopper/LatentProducer.h"
#include "codegen/target/nvidia/hopper/WidenCodes.h"

using namespace moec::hopper;

// Of a cached row: bytes, and where its scales and its rope key begin.
static constexpr int64_t kRowBytes = LatentProblem::kQuantizedBytes;
static constexpr int64_t kScales = LatentProblem::kLatent, kTail = kScales + 16;
// Eight lanes have 128 bytes of a row, 16 each, so a warp takes four rows at once.
static constexpr int64_t kLanesOfRow = 8, kRowsAtOnce = 32 / kLanesOfRow, kRowsOfWarp = 16;
static constexpr int64_t kSteps = kRowsOfWarp / kRowsAtOnce;
static constexpr int64_t kWords = 4 * kSteps; // i32 that a lane has of a group

namespace {

class Widener {
public:
  explicit Widener(const LatentParts &parts)
      : parts(parts), b(parts.b), memory(parts.memory),
        cache(parts.frame.getSlot(parts.problem.slots.cache)), lane(getThread(b) & 31),
        row(((getThread(b) >> 5) & 3) * kRowsOfWarp + lane / kLanesOfRow),
        chunk(lane % kLanesOfRow) {}

  void emit();

private:
  /// A buffer while it is filled.
  struct Buffer {
    Shared boxes;
    Shared barriers; // of the buffer's groups
    Int parity;      // of its empty barriers
  };

  Values bringPiece(const LatentParts::Piece &piece, mlir::ValueRange turns);
  Buffer getBuffer(const Int &index, const Int &turn) const;
  /// The lane's first row of a block, from the block's first row in the cache on.
  Global getRow(const Int &blockRow) const { return cache.at(blockRow + row, kRowBytes); }
  /// What the lane has of a group of codes: its words, then a scale for each step.
  Values loadCodes(const Global &from, const Int &group) const;
  Values loadTail(const Global &from) const;
  void putCodes(const Buffer &buffer, const Int &group, mlir::ValueRange loaded) const;
  void putTail(const Buffer &buffer, mlir::ValueRange loaded) const;
  void begin(const Buffer &buffer, const Int &group) const;
  void end(const Buffer &buffer, const Int &group) const;
  /// Where a lane stores 8 columns of step `step` in a box: 16 bytes, by the 128-byte swizzle.
  Shared getPlace(const Shared &box, int64_t step, const Int &columns) const;

  const LatentParts &parts;
  Builder &b;
  const LatentMemory &memory;
  Global cache;
  Int lane, row, chunk;
};

} // namespace

void Widener::emit() {
  Value zero = Int(b, 0).value;
  // Carried: how often either buffer and the queries have been filled.
  parts.forEachPiece({zero, zero, zero},
                     [&](const LatentParts::Piece &piece, mlir::ValueRange before) -> Values {
                       Values turns = bringPiece(piece, before);
                       return {turns[0], turns[1], (Int(b, before[2]) + 1).value};
                     });
}

/// The group of codes that comes `order`-th in a buffer (LatentMemory::getOrder, behind the rope
/// key).
static Int getGroup(const Int &buffer, int64_t order) { return (buffer << 1) ^ order; }

/// Two groups are always under way while one is widened, across blocks, too.
Values Widener::bringPiece(const LatentParts::Piece &piece, mlir::ValueRange before) {
  Int sequence = parts.tiles.getSequence(piece.token), zero(b, 0);
  Int blockRow = parts.getCacheRow(sequence, piece.begin);
  Global from = getRow(blockRow);
  Values carried{before[0], before[1], blockRow.value};
  llvm::append_range(carried, loadTail(from));
  llvm::append_range(carried, loadCodes(from, getGroup(zero, 0)));
  ifThen((getThread(b) & 127) == 0, [&] { bringQueries(parts, piece, Int(b, before[2])); });

  auto bringBlock = [&](Int block, mlir::ValueRange carried) -> Values {
    Int index = (block - piece.begin) & 1, even(b, carried[0]), odd(b, carried[1]);
    Buffer buffer = getBuffer(index, select(index == 0, even, odd));
    Global from = getRow(Int(b, carried[2]));
    mlir::ValueRange tail = carried.slice(3, kWords);
    Int next = parts.getCacheRow(sequence, min(block + 1, piece.end - 1));
    Values second = loadCodes(from, getGroup(index, 1));
    putTail(buffer, tail);
    Values third = loadCodes(from, getGroup(index, 2));
    putCodes(buffer, getGroup(index, 0), carried.drop_front(3 + kWords));
    Values fourth = loadCodes(from, getGroup(index, 3));
    putCodes(buffer, getGroup(index, 1), second);
    Values later{(even + 1 - index).value, (odd + index).value, next.value};
    llvm::append_range(later, loadTail(getRow(next)));
    putCodes(buffer, getGroup(index, 2), third);
    llvm::append_range(later, loadCodes(getRow(next), getGroup(index ^ 1, 0)));
    putCodes(buffer, getGroup(index, 3), fourth);
    return later;
  };
  return forLoop(piece.begin, piece.end, Int(b, 1), carried, bringBlock);
}

Widener::Buffer Widener::getBuffer(const Int &index, const Int &turn) const {
  return {memory.buffers + index * LatentMemory::kBlockBytes,
          memory.barriers + index * LatentMemory::getFull(1, BoxGroup::Left0), (turn & 1) ^ 1};
}

Values Widener::loadCodes(const Global &from, const Int &group) const {
  Values loaded;
  for (int64_t step = 0; step < kSteps; ++step)
    llvm::append_range(loaded, loadStreaming(from + (step * kRowsAtOnce * kRowBytes) +
                                             ((group << 7) + (chunk << 4))));
  for (int64_t step = 0; step < kSteps; ++step)
    loaded.push_back(
        load(from + (step * kRowsAtOnce * kRowBytes + kScales) + (group << 2), b.getF32Type(), 4));
  return loaded;
}

Values Widener::loadTail(const Global &from) const {
  Values loaded;
  for (int64_t step = 0; step < kSteps; ++step)
    llvm::append_range(
        loaded, loadStreaming(from + (step * kRowsAtOnce * kRowBytes + kTail) + (chunk << 4)));
  return loaded;
}

void Widener::begin(const Buffer &buffer, const Int &group) const {
  waitBarrier(buffer.barriers + (group << 3), LatentMemory::kEmpty, buffer.parity);
}

void Widener::end(const Buffer &buffer, const Int &group) const {
  fenceCopies(b);
  syncWarp(b);
  arriveIf(buffer.barriers + (group << 3), lane == 0);
}

Shared Widener::getPlace(const Shared &box, int64_t step, const Int &columns) const {
  Int at = row + step * kRowsAtOnce;
  return box + ((at << 7) + ((columns ^ (at & 7)) << 4));
}

void Widener::putTail(const Buffer &buffer, mlir::ValueRange loaded) const {
  Int group(b, static_cast<int64_t>(BoxGroup::Rope));
  Shared box = buffer.boxes + LatentMemory::kRopeBox * LatentMemory::kBoxBytes;
  begin(buffer, group);
  for (int64_t step = 0; step < kSteps; ++step)
    store(makeVector(b, loaded.slice(4 * step, 4)), getPlace(box, step, chunk), 16);
  end(buffer, group);
}

/// A lane's 16 codes become 32 bytes, half of them stored first. Lanes of the second box begin
/// with the other half: eight lanes then fill different banks.
void Widener::putCodes(const Buffer &buffer, const Int &group, mlir::ValueRange loaded) const {
  Bool isSecond = chunk >= 4;
  Int half = chunk >> 2;
  Shared box = buffer.boxes + ((group << 1) + half) * LatentMemory::kBoxBytes;
  begin(buffer, group);
  for (int64_t step = 0; step < kSteps; ++step) {
    mlir::ValueRange words = loaded.slice(4 * step, 4);
    Value scale = loaded[kWords + step];
    for (int64_t turn = 0; turn < 2; ++turn) {
      Values widened;
      for (int64_t i = 0; i < 2; ++i) {
        Value word = select(isSecond, words[2 * (1 - turn) + i], words[2 * turn + i]);
        llvm::append_range(widened, scaleE4M3(b, word, scale));
      }
      Int columns = ((chunk & 3) << 1) + (half ^ turn);
      store(makeVector(b, widened), getPlace(box, step, columns), 16);
    }
  }
  end(buffer, group);
}

void moec::hopper::emitLatentWidener(const LatentParts &parts) { Widener(parts).emit(); }
