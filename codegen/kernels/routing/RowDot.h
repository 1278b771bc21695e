// One row of a linear: x times one row of the weight.
#pragma once

#include "codegen/kernels/rows/RowRef.h"

#include <optional>
#include <string>

namespace moec::codegen {

/// Why `op` cannot be computed row by row, or nothing when it can.
std::optional<std::string> refuseRowDot(moe::LinearOp op);

/// The dot product of row `row` of x and row `feature` of the weight, f32, by `team`.
mlir::Value emitRowDot(TileFunction &tile, const Team &team, moe::LinearOp op, mlir::Value row,
                       mlir::Value feature);

} // namespace moec::codegen
