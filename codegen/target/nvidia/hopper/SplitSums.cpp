#include "codegen/target/nvidia/hopper/SplitSums.h"

#include "codegen/target/nvidia/hopper/QuadShuffle.h"

using namespace moec::hopper;

static constexpr int64_t kMeeting = 3; // barrier
static constexpr int64_t kColumns = 256;

SplitSums::SplitSums(const LatentParts &parts, int64_t warpgroup)
    : parts(parts), b(parts.b), slots(parts), warpgroup(warpgroup) {
  Int thread = pin(getThread(b) & 127);
  lane = thread & 31;
  warp = thread >> 5;
  row = (warp << 4) + (lane >> 2);
}

void SplitSums::meet(Builder &b) { syncNamed(b, Int(b, kMeeting), 256); }

void SplitSums::put(const LatentPieces::Piece &piece, mlir::ValueRange sums,
                    const LazySoftmax::Rows &rows) const {
  ContextPlan::Sharing sharing = piece.getSharing();
  BlockRows block = piece.getRows();
  Bool isLive = warp < parts.countWarps(block);
  ifThen(
      sharing.first == sharing.last, [&] { ifThen(isLive, [&] { store(block, sums, rows.sum); }); },
      [&] {
        ifThen(isLive, [&] {
          leave(slots.getSlot(parts.worker, sharing.first == parts.worker), sums, rows);
        });
        fenceGlobalCopies(b); // they are fetched by copies
        meet(b);
        ifThen(getThread(b) == 0, [&] { countReleased(slots.getCounter(sharing)); });
      });
}

void SplitSums::store(const BlockRows &rows, mlir::ValueRange sums,
                      mlir::ValueRange weights) const {
  int64_t bytes = parts.problem.floatResult ? 4 : 2;
  Global result = parts.frame.getSlot(parts.problem.slots.result);
  for (unsigned half = 0; half < 2; ++half) {
    Value share = divideFloat(b, constantFloat(b, 1), weights[half]);
    Values values;
    for (size_t i = 2 * half; i < sums.size(); i += 4)
      for (size_t column : {i, i + 1})
        values.push_back(multiplyFloat(b, sums[column], share));
    Global to =
        result.at(parts.getResultRow(rows) + row + 8 * half, LatentProblem::kLatent * bytes);
    storeRow(to + warpgroup * kColumns * bytes, values);
  }
}

/// A lane's 64 values: two of each 8 columns.
void SplitSums::storeRow(const Global &to, mlir::ValueRange values) const {
  Int quad = lane & 3;
  if (parts.problem.floatResult) {
    for (size_t i = 0; i < values.size(); i += 2)
      hopper::store(makeVector(b, values.slice(i, 2)), to + (quad << 3) + 16 * i, 8);
    return;
  }
  for (size_t i = 0; i < values.size(); i += 8) { // 32 columns
    Values packed;
    for (size_t pair = i; pair < i + 8; pair += 2)
      packed.push_back(packBFloat16(b, values[pair], values[pair + 1]));
    Value line = makeVector(b, transposeQuad(b, lane, packed));
    hopper::store(line, to + (quad << 4) + 8 * i, 16);
  }
}

/// Rows may attend to nothing of a part.
Values SplitSums::makeMeans(mlir::ValueRange sums, mlir::ValueRange weights) const {
  Value zero = constantFloat(b, 0), shares[2];
  for (unsigned half = 0; half < 2; ++half)
    shares[half] = select(isGreater(b, weights[half], zero),
                          divideFloat(b, constantFloat(b, 1), weights[half]), zero);
  Values means;
  for (size_t i = 0; i < sums.size(); ++i)
    means.push_back(multiplyFloat(b, sums[i], shares[i / 2 % 2]));
  return means;
}

void SplitSums::leave(const Int &slot, mlir::ValueRange sums, const LazySoftmax::Rows &rows) const {
  constexpr int64_t kBytes = SplitSlots::kUnitBytes;
  int64_t units = slots.getWarpUnits(), values = 4 * slots.getGroups();
  Values left = slots.hasMeans() ? makeMeans(sums, rows.sum) : Values(sums);
  Global to = slots.getSums(slot) + (warp * (units * kBytes) + (lane << 4));
  for (int64_t i = 0; i < units / 2; ++i)
    hopper::store(slots.pack(mlir::ValueRange(left).slice(values * i, values)),
                  to + (warpgroup * units / 2 + i) * kBytes, 16);
  if (warpgroup != 0)
    return; // both have the same rows
  Global state = slots.getRows(slot) + (row << 3);
  for (unsigned half = 0; half < 2; ++half)
    hopper::store(makeVector(b, {rows.reference[half], rows.sum[half]}), state + 64 * half, 8);
}
