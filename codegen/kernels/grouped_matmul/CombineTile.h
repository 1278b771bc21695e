// moe.grouped_linear, moe.combine of its result and sums of that: a tile is a block of output
// columns of all rows, and alone adds to it. It goes through the experts that have slots, so that
// each weight is read once, and adds an expert's share to its tokens in the result: no atomics, and
// one order.
#pragma once

#include "codegen/kernels/Emitter.h"

namespace moec::codegen {

class CombineTile {
public:
  static bool matches(kern::KernelOp kernel);

  /// Why `combine` cannot follow a grouped product in its kernel, or nothing when it can.
  static std::optional<std::string> refuse(mlir::Operation *combine);

  /// Why `op` cannot be computed on whole rows by the tile that ends last, or nothing when it can.
  static std::optional<std::string> refuseRowEpilogue(mlir::Operation *op, uint64_t rows);

  static kern::GridAttr getGrid(kern::KernelOp kernel, int64_t columns);

  static mlir::LogicalResult emit(TileFunction &tile, moe::GroupedLinearOp linear);
};

} // namespace moec::codegen
