// Rows of a paged cache, found through the block table.
#pragma once

#include "codegen/kernels/QuantizedRows.h"
#include "codegen/kernels/TileFunction.h"

#include <optional>

namespace moec::codegen {

class CacheRows {
public:
  /// Of the kernel's arguments `cache` and `blockTable`.
  CacheRows(TileFunction &tile, mlir::Value cache, mlir::Value blockTable, int64_t lanes);

  /// Columns of a row that are wanted together, and the rows of the workspace for them.
  struct Part {
    mlir::Value column; // first
    int64_t columns;
    mlir::Value into;
  };

  /// Fetches the parts of `count` rows of `sequence` from `position` on as f32 into rows 0 ... of
  /// each part's `into`, zeros behind them up to whole vectors. Quantized rows have one part, all
  /// of the row.
  void fetch(mlir::Value sequence, mlir::Value position, mlir::Value count,
             llvm::ArrayRef<Part> parts);

  /// The same of whole rows.
  void fetch(mlir::Value sequence, mlir::Value position, mlir::Value count, mlir::Value into);

  /// Columns of a row.
  int64_t getColumns() const { return columns; }

private:
  void fetchQuantized(mlir::Value slot, mlir::Value into, mlir::Value row);

  mlir::ImplicitLocOpBuilder &b;
  mlir::Value data, blockTable;
  std::optional<QuantizedRows> quantized;
  int64_t columns, page, lanes;
};

} // namespace moec::codegen
