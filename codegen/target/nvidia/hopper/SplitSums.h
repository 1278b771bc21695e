// What a block has computed of a tile goes where it belongs: rows whose whole context it has seen
// are divided by their sums of weights and stored; of others its part is left for those who add
// all parts up (SharedTile).
#pragma once

#include "codegen/target/nvidia/hopper/LatentPieces.h"
#include "codegen/target/nvidia/hopper/LazySoftmax.h"
#include "codegen/target/nvidia/hopper/SplitSlots.h"

namespace moec::hopper {

class SplitSums {
public:
  /// For one of the two warpgroups: columns 256 * warpgroup and the following 255. Made where the
  /// sums are put, since addresses that were known before would take registers from them.
  SplitSums(const LatentParts &parts, int64_t warpgroup);

  /// By both warpgroups at once: 128 f32 a lane as WgmmaValues leaves them, and the rows'
  /// references and sums of weights.
  void put(const LatentPieces::Piece &piece, mlir::ValueRange sums,
           const LazySoftmax::Rows &rows) const;

  /// Barrier of both warpgroups.
  static void meet(Builder &b);

private:
  void store(const BlockRows &rows, mlir::ValueRange sums, mlir::ValueRange weights) const;
  void storeRow(const Global &to, mlir::ValueRange values) const;
  Values makeMeans(mlir::ValueRange sums, mlir::ValueRange weights) const;
  void leave(const Int &slot, mlir::ValueRange sums, const LazySoftmax::Rows &rows) const;

  const LatentParts &parts;
  Builder &b;
  SplitSlots slots;
  int64_t warpgroup;
  Int lane, warp; // of the warpgroup
  Int row;        // the lane's first; the other is 8 below
};

} // namespace moec::hopper
