// Parts of row-wise ops that other families use on rows of their own.
#pragma once

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/rows/RowRef.h"

namespace moec::codegen {

/// Rotates x's columns first ... first + rope.getDim() - 1 into the same columns of `result`, which
/// may be x. `table` is the position's row: cosines, then sines.
void emitRotation(mlir::ImplicitLocOpBuilder &b, moe::RopeAttr rope, const Team &team,
                  const RowRef &x, const RowRef &table, const RowRef &result, mlir::Value first);

/// Quantizes `size` columns of x from `from` on, which share a scale, to the columns of `result`
/// from `to` on; their scale is the `block`-th of the row.
void emitQuantizedBlock(mlir::ImplicitLocOpBuilder &b, const Team &team, const RowRef &x,
                        mlir::Value from, const RowRef &result, mlir::Value to, mlir::Value block,
                        int64_t size);

/// Quantizes the first `columns` (index; whole blocks) columns of x to the columns of `result` from
/// `first` (index, where a block begins) on.
void quantizeColumns(mlir::ImplicitLocOpBuilder &b, const Team &team, const RowRef &x,
                     const RowRef &result, mlir::Value first, mlir::Value columns, int64_t block);

/// Calls `body(block, first column, width, part)` for each block of columns that has a scale, which
/// a part of the team computes. `block` 0: one block.
using ScaleBlockBody =
    llvm::function_ref<void(mlir::Value index, mlir::Value first, int64_t width, const Team &part)>;
void forScaleBlocks(mlir::ImplicitLocOpBuilder &b, const Team &team, int64_t columns, int64_t block,
                    ScaleBlockBody body);

/// result = silu(gate) * up of `op`, rounded as its types say; `result` may be one of them.
void swigluRow(mlir::ImplicitLocOpBuilder &b, const Team &team, const RowRef &gate,
               const RowRef &up, const RowRef &result, moe::SwigluOp op);

/// Scale and codes for each `block` columns of `x`, as moe.quantize has them.
void quantizeRow(mlir::ImplicitLocOpBuilder &b, const Team &team, const RowRef &x,
                 const RowRef &result, int64_t block);

} // namespace moec::codegen
