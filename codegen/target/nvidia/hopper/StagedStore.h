// Stores of a warp's part of a finished tile by the copy engine: 16 rows x 64 bf16 columns at a
// time are written to shared memory with stmatrix, 128-byte swizzled (16-byte chunk c of row r at c
// ^ (r % 8)), and leave as one box. A warp waits only for its own earlier stores, never for other
// warps.
#pragma once

#include "codegen/target/nvidia/hopper/KernelFrame.h"

namespace moec::hopper {

class StagedStore {
public:
  static constexpr int64_t kRows = 16, kColumns = 64, kBytes = kRows * kColumns * 2;

  /// `buffers` for each of `warps` warps.
  StagedStore(KernelFrame &frame, int64_t warps, int64_t buffers);

  /// The map of a matrix of bf16 that these boxes are stored to.
  static TensorMap getMap(unsigned slot, uint64_t rowBytes, uint64_t columns, Extent rows);

  /// Stores to `map` at [row, column]; blocks[2 * j + h] are two bf16 (i32) of row 8h + lane / 4,
  /// columns 8j + 2 * (lane % 4). Of `limit` rows only those exist: when some of the 16 lie behind,
  /// lanes store the others to `matrix` (row 0) themselves, rows of `rowBytes` bytes, columns below
  /// `numColumns`. `turn` counts a warp's calls (static).
  struct Target {
    Value map;
    Global matrix;
    int64_t rowBytes, numColumns;
    Int limit;
  };
  void store(const Target &target, const Int &warp, const Int &lane, const Int &row,
             const Int &column, mlir::ValueRange blocks, int64_t turn) const;
  /// By each warp at the end: all stores have left.
  void finish(const Int &lane) const;

private:
  Builder *b;
  int64_t buffers;
  Shared data;
};

} // namespace moec::hopper
