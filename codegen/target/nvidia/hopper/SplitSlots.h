// Where the workers of attention whose context is shared out (ContextPlan) leave what they have of
// a tile, in the launch's scratch memory. A block has two *slots*: for a tile that began before its
// range and for one that goes on behind it.
//
//   sums   f32 [warps][64 units][32 lanes][4]: unit u is columns 8u .. 8u + 7 of a warp's 16 rows,
//          as WgmmaValues leaves them
//   rows   f32 [64][2]: a row's reference and sum of weights (LazySoftmax)
//
// A tile's counter, one for each block of the launch, is that of the worker that begins the tile.
#pragma once

#include "codegen/target/nvidia/hopper/LatentParts.h"

namespace moec::hopper {

class SplitSlots {
public:
  explicit SplitSlots(const LatentParts &parts) : parts(parts) {}

  static constexpr int64_t kWarpUnits = 64, kUnitBytes = 512, kWarpBytes = kWarpUnits * kUnitBytes;
  static constexpr int64_t kRowsBytes = 64 * 8;

  /// For `blocks` blocks with `rows` query rows.
  static int64_t getBytes(int64_t blocks, int64_t rows);

  /// The slot of `worker` for a tile that `worker` begins, or not.
  Int getSlot(const Int &worker, const Bool &begins) const;
  Global getSums(const Int &slot) const;
  Global getRows(const Int &slot) const;
  Global getCounter(const ContextPlan::Sharing &sharing) const;

private:
  const LatentParts &parts;
};

} // namespace moec::hopper
