// One row in memory, as row-wise emitters read and write it.
#pragma once

#include "codegen/kernels/TileFunction.h"

namespace moec::codegen {

/// Where one row of a value lies: a row of a buffer, or a workspace buffer of one row.
struct RowRef {
  mlir::Value data;   // memref of 1 or 2 axes
  mlir::Value scales; // the same for the scales of a quantized row, else null
  mlir::Value row;    // index into axis 0; null when there is one axis
  int64_t offset = 0; // first column
  int64_t columns = 0;
  mlir::Value start = {};      // index, counts on top of `offset`; null: 0
  mlir::Value startBlock = {}; // index of the scale of the first column; null: 0
  bool powerOf2Scales = false; // what is stored is the next power of 2

  /// `lanes` values as f32 from column `column` on.
  mlir::Value load(mlir::ImplicitLocOpBuilder &b, mlir::Value column, int64_t lanes) const;
  void store(mlir::ImplicitLocOpBuilder &b, mlir::Value column, mlir::Value values) const;
  mlir::Value loadScale(mlir::ImplicitLocOpBuilder &b, mlir::Value block) const;
  /// `scale`, f32, as it is once stored.
  mlir::Value roundScale(mlir::ImplicitLocOpBuilder &b, mlir::Value scale) const;
  void storeScale(mlir::ImplicitLocOpBuilder &b, mlir::Value block, mlir::Value scale) const;

private:
  llvm::SmallVector<mlir::Value, 2> at(mlir::ImplicitLocOpBuilder &b, mlir::Value column) const;
  llvm::SmallVector<mlir::Value, 2> atBlock(mlir::ImplicitLocOpBuilder &b, mlir::Value block) const;
};

} // namespace moec::codegen
