// Softmax over rows that come in blocks of 64 columns: a warpgroup holds the 64 x 64 scores of a
// block as WgmmaTile leaves them, and carries for each of a lane's two rows the reference maximum
// and the lane's share of the sum, both of scores times scale * log2(e).
//
//   reference' = the block's maximum, when that is above reference + 8; else reference
//   weights    = 2 ^ (scores * scale * log2(e) - reference')      (at most 2^8: bf16 keeps all
//   bits) factor     = 2 ^ (reference - reference')                     (what was summed before
//   shrinks)
//
// So sums are hardly ever rescaled after the first blocks. References begin with a finite number
// far below, so that a row of which nothing is seen yet has weights 0 and no NaN.
#pragma once

#include "codegen/target/nvidia/hopper/Instructions.h"

#include <array>

namespace moec::hopper {

class SoftmaxRows {
public:
  SoftmaxRows(Builder &b, double scale);

  static constexpr int64_t kColumns = 64;
  static constexpr double kLeast = -1.0e30;

  struct State {
    std::array<Value, 2> reference, sum; // of row lane / 4 and of row lane / 4 + 8
    Values getValues() const { return {reference[0], reference[1], sum[0], sum[1]}; }
  };
  State getStart() const;
  State getState(mlir::ValueRange values) const {
    return {{values[0], values[1]}, {values[2], values[3]}};
  }

  /// Hides the columns from `limits` on, for a block whose first column is `first`.
  Values mask(mlir::ValueRange scores, const Int &first, const std::array<Int, 2> &limits,
              const Int &lane) const;

  struct Step {
    Values weights; // 32 f32
    std::array<Value, 2> factors;
    State state;
  };
  Step advance(mlir::ValueRange scores, const State &state) const;

  /// sums * the factors of their rows; a warp of which no lane shrinks skips it. `sums` as a
  /// product of 64 rows leaves them.
  Values rescale(mlir::ValueRange sums, const std::array<Value, 2> &factors) const;

  /// The rows' whole sums, in all lanes of the row.
  std::array<Value, 2> finish(const State &state) const;

private:
  Builder *b;
  Value scale, headroom;
};

} // namespace moec::hopper
