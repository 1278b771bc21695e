// The quantization of what an attention gives, in the attention's kernel.
#pragma once

#include "codegen/kernels/TileFunction.h"

#include <optional>
#include <string>

namespace moec::codegen {

/// Why `op` cannot quantize tiles of which each has whole runs of `columns` columns (`what` names
/// such a run), or nothing when it can.
std::optional<std::string> refuseQuantize(moe::QuantizeOp op, int64_t columns,
                                          llvm::StringRef what);

/// The quantization behind `attention`, the only other op that its kernel may hold, or null when
/// it is alone. Reports any other op, and what `refuse` refuses.
mlir::FailureOr<moe::QuantizeOp>
findQuantize(mlir::Operation *attention,
             llvm::function_ref<std::optional<std::string>(moe::QuantizeOp)> refuse);

/// Quantizes `values`, f32 [`columns`] of row 0 of the workspace's `values` [.., ..], to the
/// columns of `token` from `first` on, where a block begins.
void storeQuantized(TileFunction &tile, moe::QuantizeOp op, mlir::Value values, mlir::Value token,
                    mlir::Value first, mlir::Value columns);

} // namespace moec::codegen
