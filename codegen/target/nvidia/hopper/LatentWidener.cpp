// A warp has 16 rows of each block, four at once (a step): 16 of a row's 128 codes a lane, which go
// to one of the group's two boxes.
//
//   lanes   0..3    4..7    8..11   12..15  16..19  20..23  24..27  28..31
//   row     0       1       0       1       2       3       2       3
//   box     0       1       1       0       0       1       1       0
//
// Eight lanes in a row then read from and store to all banks: 16-byte chunk c of row r lies at
// c ^ (r % 8), and their two rows differ in the lowest bit. Codes lie where the rows of the second
// box will, so a warp only writes over what it has read itself.
#include "codegen/target/nvidia/hopper/LatentWidener.h"

#include "codegen/target/nvidia/hopper/LatentPieces.h"
#include "codegen/target/nvidia/hopper/WidenCodes.h"

using namespace moec::hopper;

static constexpr int64_t kRowBytes = LatentProblem::kQuantizedBytes;
static constexpr int64_t kRowsOfWarp = 16, kRowsAtOnce = 4, kSteps = kRowsOfWarp / kRowsAtOnce;
static constexpr int64_t kStepsAtOnce = 2; // as many as there are registers for
static constexpr int64_t kWords = 4;       // i32 of codes that a lane has of a step
static constexpr int64_t kGroups = 4, kGroupBytes = 2 * LatentMemory::kBoxBytes;

namespace {

class Widener {
public:
  explicit Widener(const LatentParts &parts);

  void emit();

private:
  using Piece = LatentPieces::Piece;

  /// `turns`: bits 0 and 1 are parities of how often either buffer has been filled, bit 2 that of
  /// the pieces.
  static constexpr int64_t kPieces = 2;
  Int widenPiece(const Piece &piece, const Int &turns);
  void widenGroup(const Int &buffer, const Int &group, const Int &parity, Value multiplier) const;
  /// What a lane has. It is computed where it is used: there are few registers.
  struct Lane {
    Int number;
    Int row, inFour; // the first of its rows, and which of the four of a step
    Int box, chunk;  // of a group; 16 codes of the box's 64
  };
  Lane getLane() const;
  Int getScaleRow(const Lane &lane) const;
  Values loadScales(const Int &row) const;
  Values makeMultipliers(mlir::ValueRange scales, const Int &existing) const;

  const LatentParts &parts;
  Builder &b;
  const LatentMemory &memory;
  LatentPieces pieces;
  Int thread; // of the warpgroup
};

} // namespace

Widener::Widener(const LatentParts &parts)
    : parts(parts), b(parts.b), memory(parts.memory), pieces(parts), thread(getThread(b) & 127) {}

Widener::Lane Widener::getLane() const {
  Int all = pin(thread), lane = all & 31, inFour = ((lane >> 4) << 1) + ((lane >> 2) & 1);
  return {lane, ((all >> 5) << 4) + inFour, inFour, ((lane >> 3) ^ (lane >> 2)) & 1, lane & 3};
}

/// The row of which the lane has scales: a row's four are two lanes', two each.
Int Widener::getScaleRow(const Lane &lane) const {
  return lane.row + (((lane.number >> 3) & 1) * 2 + ((lane.number >> 1) & 1)) * kRowsAtOnce;
}

void Widener::emit() {
  waitDependencies(b);
  whileLoop(
      b, {Int(b, 0).value},
      [&](mlir::ValueRange at) { return pieces.take(Int(b, at[0]) >> kPieces).getEnd() != 0; },
      [&](mlir::ValueRange at) -> Values {
        Int turns(b, at[0]);
        return {(widenPiece(pieces.get(pin(turns) >> kPieces), turns) ^ (1 << kPieces)).value};
      });
}

/// Scales come a block ahead.
Int Widener::widenPiece(const Piece &piece, const Int &turns) {
  Int begin = piece.getBegin(), end = piece.getEnd(), longest = piece.getLongest();
  Int entry = piece.getEntry();
  Values carried{turns.value};
  llvm::append_range(carried, loadScales(parts.getCacheRow(entry, begin)));
  Values done = forLoop(begin, end, Int(b, 1), carried, [&](Int block, mlir::ValueRange carried) {
    Int turns(b, carried[0]), buffer = (block - begin) & 1, parity = (turns >> buffer) & 1;
    Values multipliers = makeMultipliers(carried.drop_front(), longest - (block << 6));
    Values later{(turns ^ (Int(b, 1) << buffer)).value};
    llvm::append_range(later, loadScales(parts.getCacheRow(entry, min(block + 1, end - 1))));
    for (int64_t order = 0; order < kGroups; ++order) // as LatentMemory::getOrder has them
      widenGroup(buffer, (buffer << 1) ^ order, parity, multipliers[order & 1]);
    return later;
  });
  return Int(b, done[0]);
}

Values Widener::loadScales(const Int &blockRow) const {
  Lane lane = getLane();
  Global cache = parts.frame.getSlot(parts.problem.slots.cache);
  Global from = cache.at(blockRow + getScaleRow(lane), kRowBytes) +
                (((lane.number & 1) << 3) + LatentProblem::kScales);
  return getElements(b, load(from, mlir::VectorType::get(2, b.getF32Type()), 8));
}

/// Of rows that do not exist they are 0, whatever stands there.
Values Widener::makeMultipliers(mlir::ValueRange scales, const Int &existing) const {
  Bool exists = getScaleRow(getLane()) < existing;
  Values multipliers;
  for (Value scale : scales)
    multipliers.push_back(select(exists, makeMultiplier(b, scale), Int(b, 0).value));
  return multipliers;
}

void Widener::widenGroup(const Int &buffer, const Int &group, const Int &parity,
                         Value multiplier) const {
  Lane lane = getLane();
  Int index = buffer * LatentMemory::kGroups + group;
  Shared barriers = memory.barriers + (index << 3);
  Int boxes = (memory.buffers +
               (buffer * LatentMemory::kBlockBytes + group * kGroupBytes + (lane.row << 7)))
                  .getAddress();
  // A step's rows are 512 bytes further on; every other one's chunks are four apart.
  auto getPlace = [&](const Int &chunk, const Int &box, int64_t step) {
    Int place = boxes + (box * LatentMemory::kBoxBytes + ((chunk ^ lane.inFour) << 4));
    return Shared::at(place ^ ((step & 1) << 6)) + step * kRowsAtOnce * 128;
  };
  Int holder =
      (lane.number & 20) + (group >> 1); // who has the scales of a step's row and this group
  mlir::Type line = mlir::VectorType::get(kWords, b.getI32Type());
  waitBarrier(barriers, LatentMemory::kCodes, parity);
  for (int64_t first = 0; first < kSteps; first += kStepsAtOnce) {
    Values codes;
    for (int64_t step = first; step < first + kStepsAtOnce; ++step)
      llvm::append_range(
          codes,
          getElements(b, load(getPlace((lane.box << 2) + lane.chunk, Int(b, 1), step), line, 16)));
    syncWarp(b);
    for (int64_t step = first; step < first + kStepsAtOnce; ++step) {
      Int from = holder + ((step >> 1) * 8 + (step & 1) * 2);
      Value scale = shuffleFrom(Int(b, multiplier), from).value;
      Values wide;
      for (Value word : mlir::ValueRange(codes).slice(kWords * (step - first), kWords))
        llvm::append_range(wide, scaleE4M3(b, word, scale));
      for (int64_t half : {0, 1})
        store(makeVector(b, mlir::ValueRange(wide).slice(4 * half, 4)),
              getPlace((lane.chunk << 1) + half, lane.box, step), 16);
    }
  }
  fenceCopies(b);
  syncWarp(b);
  arriveIf(barriers, lane.number == 0);
}

void moec::hopper::emitLatentWidener(const LatentParts &parts) { Widener(parts).emit(); }
