// Softmax over blocks of 64 columns as they come, of the 64 x 64 scores that WgmmaTile leaves in a
// warpgroup's registers: a lane has 2 rows, row 16 * warp + lane / 4 and the one 8 below.
//
//   weight = 2^(score * scale * log2(e) - reference)
//
// The reference follows the row's maximum only when that has passed it by 2^8: then what has been
// summed is rescaled, which after the first blocks hardly ever happens. Weights are at most 256 and
// keep bf16's relative precision; sums are f32.
#pragma once

#include "codegen/target/nvidia/hopper/Instructions.h"

namespace moec::hopper {

class LazySoftmax {
public:
  LazySoftmax(Builder &b, double scale) : b(&b), scale(scale) {}

  /// A lane's two rows. `sum` is of its own columns only, until addOverQuad.
  struct Rows {
    Values reference, sum;

    Values getValues() const;
    static Rows get(mlir::ValueRange values); // 4
  };
  Rows getStart() const;

  /// The scores without those of columns from the rows' `lengths` on; the block begins at
  /// `firstColumn`.
  Values hide(mlir::ValueRange scores, const Int &firstColumn,
              const std::array<Int, 2> &lengths) const;

  struct Step {
    Values weights; // f32, as scores
    Rows rows;
    Values sums;    // of the block's weights
    Values factors; // of what the rows have summed before
  };
  Step add(mlir::ValueRange scores, const Rows &before) const;
  /// Adds a block whose weights were made elsewhere: its references, and its sums. Returns the
  /// factors of what the rows have summed before.
  Values follow(Rows &rows, const Rows &block) const;

  /// `sums` (as WgmmaValues leaves them) times the rows' factors, unless all of a warp's are 1.
  Values rescale(mlir::ValueRange sums, mlir::ValueRange factors) const;

  /// With sums over a row's four lanes.
  Rows addOverQuad(Rows rows) const;

private:
  Builder *b;
  double scale;
};

} // namespace moec::hopper
