// A warpgroup's scores of 64 queries against 64 rows: scores[64, 64] = queries[64, k] * rows[64,
// k]^T in bf16, the queries in registers, the rows in shared memory as TensorMap::ofOperand brings
// them (boxes of 64 columns, 128-byte swizzle, on 1024 bytes), one box behind the other. Queries in
// registers halve what the products read of shared memory, which otherwise would bind.
//
// A lane's registers of the queries: for each 16 columns from c, row r = lane / 4 of the warp's 16,
// first = c + 2 * (lane % 4): [r, first], [r + 8, first], [r, first + 8], [r + 8, first + 8], each
// with the column behind it.
#pragma once

#include "codegen/target/nvidia/hopper/Instructions.h"

namespace moec::hopper {

class WgmmaScores {
public:
  /// `columns`: a multiple of 64.
  WgmmaScores(Builder &b, int64_t columns) : b(&b), columns(columns) {}

  static constexpr int64_t kRows = 64, kBoxColumns = 64, kBoxBytes = kRows * kBoxColumns * 2;

  int64_t getNumRegisters() const { return columns / 4; }
  /// The descriptor (i64) of the boxes from `place` on.
  Value describe(const Shared &place) const;
  /// Starts the products; returns the 32 f32, in flight until waitProducts.
  Values start(mlir::ValueRange queries, Value rows) const;

private:
  Builder *b;
  int64_t columns;
};

} // namespace moec::hopper
