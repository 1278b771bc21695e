// Where the parts of a split context meet, in device memory: each part's sums of a tile's rows, not
// yet divided, with the rows' references and sums of weights (SoftmaxRows). Whoever comes last adds
// them up, in the order of the context: results do not depend on timing, and nobody waits.
//
// A block has two places, for the tile that its part begins in and for the one that it ends in. A
// place: the sums as a warpgroup's lanes hold them, [columns / 8][warp][lane] of 4 f32; then
// [64] rows of reference and sum. Warps without rows of the tile store nothing.
#pragma once

#include "codegen/target/nvidia/hopper/AttentionWork.h"
#include "codegen/target/nvidia/hopper/SoftmaxRows.h"

namespace moec::hopper {

class PartialSums {
public:
  /// `counters`: an i32 for each block, zero before and after; a tile that is divided has that of
  /// the block where it begins.
  PartialSums(KernelFrame &frame, int64_t columns, Global scratch, Global counters);

  static int64_t getScratchBytes(int64_t columns, int64_t blocks);

  /// By the one warpgroup that computes. `rows`: of the tile, 64 at most. `emit(row, column, sums)`
  /// gets the finished sums of two neighbouring columns where this is the last part.
  void add(const AttentionItem &item, const Int &rows, mlir::ValueRange sums,
           const SoftmaxRows::State &state,
           llvm::function_ref<void(Int row, Int column, Value low, Value high)> emit) const;

private:
  struct Merged {
    std::array<Value, 2> reference, sum;
    Values sums;
  };

  Global getPlace(const Int &block, const Bool &begins) const;
  Global getSums(const Global &place, const Int &columnBlock, const Int &warp) const;
  Global getRow(const Global &place, const Int &row) const;
  Bool countParts(const AttentionItem &item) const;
  void combine(const AttentionItem &item, const Int &warp,
               llvm::function_ref<void(Int row, Int column, Value low, Value high)> emit) const;

  Builder &b;
  int64_t columns;
  Global scratch, counters;
  Shared isLast;
  Int thread, lane, ownWarp;
};

} // namespace moec::hopper
