// A warpgroup's matrix product of 64 x n over 128 bytes of K, both operands in shared memory,
// K-major, as TensorMap::ofOperand brings them: rows of 128 bytes, 128-byte swizzle, beginning on
// 1024 bytes.
//
// What a lane holds of the 64 x n sums (n / 2 registers): register 4j + 2h + e is row 16 * warp +
// 8h + lane / 4, column 8j + 2 * (lane % 4) + e, warp being the one of the warpgroup's four.
#pragma once

#include "codegen/target/nvidia/hopper/Instructions.h"

namespace moec::hopper {

class WgmmaTile {
public:
  /// `byColumns` (bf16 only): the box of x has K as its 64 rows, and the product's rows as columns.
  WgmmaTile(Builder &b, Operand type, int64_t columns, bool byColumns = false)
      : b(&b), type(type), columns(columns), byColumns(byColumns) {}

  static constexpr int64_t kRows = 64, kRowBytes = 128;

  /// The descriptor (i64) of the operand at `place`.
  Value describe(const Shared &place) const;
  /// The same of a place that is always the same: what follows from it stays in uniform registers.
  Value describeFixed(const Shared &place) const;
  /// The descriptor of the operand `rows` (a multiple of 8) further on.
  Value skipRows(Value descriptor, int64_t rows) const;

  /// Starts sums = x * w over 128 bytes of K. `before` are values of the same registers (results of
  /// an earlier wait), so that the products use them again; empty: new ones.
  Value start(Value x, Value w, mlir::ValueRange before) const;
  /// The same onto `sums` (a struct, in flight or not; null: new ones), which return in flight.
  /// Between fenceProducts and commitProducts.
  Value add(Value x, Value w, Value sums) const;
  /// The sums, once at most `pending` later groups are unfinished.
  Values wait(Value sums, unsigned pending = 0) const;

private:
  Value skip(Value descriptor, int64_t units) const; // of 16 bytes
  Value makeSums() const;
  Value multiplyAll(Value x, Value w, Value sums, bool isFirst) const;

  Builder *b;
  Operand type;
  int64_t columns;
  bool byColumns;
};

} // namespace moec::hopper
