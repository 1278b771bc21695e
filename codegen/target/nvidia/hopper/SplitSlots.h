// Where the workers of attention whose context is shared out (ContextPlan) leave what they have of
// a tile, in the launch's scratch memory. A block has two *slots*: for a tile that began before its
// range and for one that goes on behind it.
//
//   sums   [warps][units][32 lanes] of 16 bytes: a unit is a warp's 16 rows of 16 columns in bf16,
//          or of 8 in f32 where the result is f32; a lane has what WgmmaValues leaves it of these.
//          Of quantized rows, whose values are in f16's range, means in f16 in the place of bf16:
//          a sum of parts that cancel out is as exact as the result
//   rows   f32 [64][2]: a row's reference and sum of weights (LazySoftmax)
//
// A tile's counter, one for each block of the launch, is that of the worker that begins the tile.
#pragma once

#include "codegen/target/nvidia/hopper/LatentParts.h"

namespace moec::hopper {

class SplitSlots {
public:
  explicit SplitSlots(const LatentParts &parts) : parts(parts) {}

  static constexpr int64_t kUnitBytes = 512, kRowsBytes = 64 * 8;

  /// Units of a warp's rows.
  static int64_t getWarpUnits(const LatentProblem &problem);
  /// For `blocks` blocks with `rows` query rows.
  static int64_t getBytes(const LatentProblem &problem, int64_t blocks, int64_t rows);

  /// The slot of `worker` for a tile that `worker` begins, or not.
  Int getSlot(const Int &worker, const Bool &begins) const;
  Global getSums(const Int &slot) const;
  Global getRows(const Int &slot) const;
  Global getCounter(const ContextPlan::Sharing &sharing) const;

  int64_t getWarpUnits() const { return getWarpUnits(parts.problem); }
  /// Whether a part is a mean, divided by the rows' sums of weights.
  bool hasMeans() const { return parts.problem.quantizedCache && !parts.problem.floatResult; }
  /// Blocks of 8 columns that a unit has.
  int64_t getGroups() const { return kWarpGroups / getWarpUnits(); }
  /// A lane's part of a unit, four f32 a block of columns, as what is stored of it, and back.
  Value pack(mlir::ValueRange sums) const;
  Values unpack(Value line) const;
  /// What pack returns.
  mlir::VectorType getLine() const;

private:
  static constexpr int64_t kWarpGroups = LatentProblem::kLatent / 8;

  int64_t getSumsBytes() const;

  const LatentParts &parts;
};

} // namespace moec::hopper
