// y = x * w^T in bf16, as the kernels for many and for few tokens have it.
#pragma once

#include "codegen/target/nvidia/hopper/RowGather.h"
#include "codegen/target/nvidia/hopper/TileEpilogue.h"

#include <optional>
#include <string>

namespace moec::hopper {

/// What becomes of x's rows before the product, in bf16: x / sqrt(mean(x^2) + epsilon) * weight.
struct RowNorm {
  unsigned weight = 0; // slot: bf16 [k]
  double epsilon = 0;

  /// Rows that every tile may normalise for itself.
  static constexpr int64_t kMostRows = 4;
};

struct DenseProblem {
  unsigned x = 0, w = 1;      // slots: bf16 [rows, k], [weightRows, k]
  unsigned rowsDim = 1;       // kern.dim that counts x's rows ...
  int64_t rowsMultiplier = 1; // ... times this
  int64_t weightRows = 0, k = 0;
  int64_t columns = 0;    // of a column wave: weightRows, or half of them with gates
  int64_t interleave = 0; // with gates: rows of gates in turn with what they gate; 0: gates first

  std::optional<RowGroups> groups; // w has as many matrices
  std::optional<RowNorm> norm;     // of at most RowNorm::kMostRows rows

  static constexpr int64_t kBlock = 64; // columns of K that fill a row of an operand's box

  /// Why the kernels cannot do it, or nothing.
  std::optional<std::string> refuse() const;
  /// Whether threads bring x: its rows are scattered.
  bool isGathered() const { return groups && groups->rows; }
  Extent getRows() const { return Extent::of(rowsDim, rowsMultiplier); }
  int64_t countBlocks() const { return (k + kBlock - 1) / kBlock; }
  /// Where the rows of wave `wave` of a tile's columns lie in the weight.
  Int getWeightRow(const TilePlace &place, int64_t wave) const;
  /// Boxes of x and of the weight; what lies behind their last rows and columns reads as zero.
  TensorMap getXMap(int64_t boxRows) const;
  /// x for threads: a box's part of a row is a block of 128 bytes.
  RowGather::Source getRowSource() const { return {x, 2 * k, groups, std::nullopt}; }
  TensorMap getWeightMap(int64_t boxRows) const;
};

} // namespace moec::hopper
