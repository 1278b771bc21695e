// RMS norm of few rows of bf16 within a product: every block computes all rows' factors from
// memory, and multiplies what the copy engine brings of x before the product reads it.
#pragma once

#include "codegen/target/nvidia/hopper/DenseProblem.h"

namespace moec::hopper {

class NormRows {
public:
  /// Of the rows of `problem`, which has a norm; `threads` compute.
  NormRows(KernelFrame &frame, const DenseProblem &problem, int64_t threads);

  /// Shared memory that it takes for rows of `k` columns.
  static int64_t getSharedBytes(int64_t k);

  /// The norm's weight into shared memory; needs nothing of the launch before.
  void bringWeight() const;
  /// Factors of all rows, from x in memory. Has a barrier of the threads inside, for the weight
  /// too.
  void start(int64_t boxes);
  /// In place: boxes of `boxRows` rows of 64 columns (128-byte swizzle), which begin at `x`; the
  /// first has the columns from 64 * `firstBox` on. Then products may read them.
  void apply(const Shared &x, int64_t boxRows, const Int &firstBox) const;

private:
  Value sumSquares(const Int &ownRow) const;
  void meet() const;

  KernelFrame &frame;
  Builder &b;
  DenseProblem problem;
  int64_t threads;
  Shared weight, parts; // bf16 [k]; f32 [rows][warps]
  Int thread, numRows;
  // The thread's 16 bytes of each buffer: a row, one of its boxes, 8 columns.
  Int row, box, chunk;
  Value factor;
};

} // namespace moec::hopper
