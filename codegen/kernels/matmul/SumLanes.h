// The end of a register tile of dot products: all lanes of all its sums at once.
#pragma once

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace moec::codegen {

/// Sums each of `vectors` (a power of two of them, at most as many as lanes) over its
/// lanes: one vector<N x f32>, or a vector<1xf32>.
mlir::Value sumLanes(mlir::ImplicitLocOpBuilder &b, llvm::ArrayRef<mlir::Value> vectors);

} // namespace moec::codegen
