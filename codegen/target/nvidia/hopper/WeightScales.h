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

  /// `scales` [matrices, ceil(weightRows / 128), blocks]; `firstRows`: of each wave in the matrix
  /// `matrix` (no value: the only one).
  WeightScales(Builder &b, const Global &scales, const Shape &shape, const Int &matrix,
               llvm::ArrayRef<Int> firstRows);

  /// Of block `block`, one value a row of scales.
  Values load(const Int &block) const;

  int64_t countGroups() const { return columns / group; }
  /// Of the wave's `block`-th 8 columns.
  int64_t getGroup(int64_t block) const { return block * 8 / group; }
  /// What `load` gave for column group `g` of wave `wave`.
  Value get(mlir::ValueRange loaded, int64_t wave, int64_t g) const;

private:
  Builder *b;
  int64_t columns, group, rowsPerWave;
  llvm::SmallVector<Global> lines; // [wave][row]
  llvm::SmallVector<Int> offsets;  // of each wave's first column in its row of scales
};

} // namespace moec::hopper
