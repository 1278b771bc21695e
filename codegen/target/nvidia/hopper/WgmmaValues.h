// A warpgroup's weighted sum of rows: sums[64, columns] += weights[64, 64] * rows[64, columns] in
// bf16, with the weights in registers and the rows in shared memory as TensorMap::ofOperand brings
// them (boxes of 64 columns, 128-byte swizzle, on 1024 bytes), one box behind the other. A box is
// the same that WgmmaTile takes as its K-major operand: attention's scores and values read one copy
// of a cached row.
//
// The weights are what a lane has of a 64 x 64 product (WgmmaTile.h says which), two to a register.
#pragma once

#include "codegen/target/nvidia/hopper/Instructions.h"

namespace moec::hopper {

class WgmmaValues {
public:
  /// `columns`: 64, 128, 192 or 256.
  WgmmaValues(Builder &b, int64_t columns) : b(&b), columns(columns) {}

  static constexpr int64_t kRows = 64, kBoxColumns = 64, kBoxBytes = kRows * kBoxColumns * 2;

  /// 32 f32 as the 16 registers (i32) of weights.
  Values pack(mlir::ValueRange weights) const;
  /// The descriptor (i64) of the boxes from `place` on.
  Value describe(const Shared &place) const;
  /// The descriptor of those `boxes` further on.
  Value skipBoxes(Value descriptor, int64_t boxes) const;

  /// Starts sums += weights * rows. `sums` are columns / 2 f32. What returns is in flight: until
  /// waitProducts only further products may take it.
  Values start(mlir::ValueRange weights, Value rows, mlir::ValueRange sums) const;

private:
  Builder *b;
  int64_t columns;
};

} // namespace moec::hopper
