// Rows of a quantized cache: the parts of the bytes that they are.
#pragma once

#include "dialects/moe/CacheRow.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace moec::codegen {

/// Each part as a memref over all rows; what a row begins with is columns of the other parts too,
/// so columns are counted from `firstScale` and `firstTail` on.
struct QuantizedRows {
  /// Of `bytes`, the memref of a cache of this type. Stands before loops.
  QuantizedRows(mlir::ImplicitLocOpBuilder &b, mlir::Value bytes, moe::CacheType type);

  /// `lanes` columns as f32 from `column` on, all of them codes of one block.
  mlir::Value loadCodes(mlir::ImplicitLocOpBuilder &b, mlir::Value row, mlir::Value column,
                        int64_t lanes) const;
  /// `lanes` of the columns behind the codes, the first of which is 0.
  mlir::Value loadTail(mlir::ImplicitLocOpBuilder &b, mlir::Value row, mlir::Value column,
                       int64_t lanes) const;

  moe::CacheRow layout;
  mlir::Value codes;             // memref<?x(bytes)xf8E4M3FN>
  mlir::Value scales;            // memref<?x(bytes / 4)xf32>
  mlir::Value tail;              // memref<?x(bytes / 2)xbf16>
  int64_t firstScale, firstTail; // columns
};

} // namespace moec::codegen
