// The scales of an FP8 weight in blocks of 128 x 128 that a tile's columns need in one block of K.
#pragma once

#include "codegen/target/nvidia/hopper/Memory.h"

namespace moec::hopper {

/// A wave's columns touch one, two or three rows of scales; which ones depends on the tile, but
/// columns of one group of gcd(columns, 128) share theirs.
class WeightScales {
public:
  struct Shape {
    int64_t weightRows, blocks; // rows of one matrix of the weight; blocks of K
    int64_t columns;            // of a wave
  };

  /// Of matrix `matrix` (no value: the only one); `firstRows`: of each wave in it.
  WeightScales(Builder &b, const Shape &shape, const Int &matrix, llvm::ArrayRef<Int> firstRows);

  /// Rows of scales that a wave of so many columns may touch, from the one of its first row on.
  static int64_t countRows(int64_t columns);
  /// In shared memory: [wave][row][block of K], where there are kBlocks of them.
  static constexpr int64_t kBlocks = 4;
  static int64_t getBytes(int64_t columns, int64_t waves) {
    return waves * countRows(columns) * kBlocks * 4;
  }

  // `scales` are [matrices, ceil(weightRows / 128), blocks].
  /// Of kBlocks blocks from `block` on, of those there are, by a thread of some.
  void bring(const Shared &to, const Global &scales, const Int &block, const Int &thread) const;
  /// Brings all into the second cache, by a warp.
  void prefetch(const Global &scales, const Int &lane) const;
  /// What `load` gives, from memory.
  Values fetch(const Global &scales, const Int &block) const;
  /// One value a row of scales: of the `index`-th of the blocks that were brought to `scales`.
  Values load(const Shared &scales, int64_t index) const;

  int64_t countGroups() const { return shape.columns / group; }
  /// Of the wave's `block`-th 8 columns.
  int64_t getGroup(int64_t block) const { return block * 8 / group; }
  /// What `load` gave for column group `g` of wave `wave`.
  Value get(mlir::ValueRange loaded, int64_t wave, int64_t g) const;

private:
  /// Row `row` of scales that wave `wave` touches.
  Int getLine(size_t wave, int64_t row) const;

  Builder *b;
  Shape shape;
  int64_t group, rowsPerWave;
  Int matrix;
  llvm::SmallVector<Int> firstRows, offsets; // of scales; of each wave's first column in its row
};

} // namespace moec::hopper
