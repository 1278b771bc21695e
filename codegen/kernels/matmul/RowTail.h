// Row-wise ops behind a product that need whole rows of it, as a norm does. The tiles of a block of
// rows count themselves when they have stored their columns; the last one computes these ops on the
// rows, which it finds in the kernel's results. When there is one block only, that tile also sorts
// (moe.permute).
#pragma once

#include "codegen/kernels/Emitter.h"
#include "codegen/kernels/permutation/Sort.h"
#include "codegen/kernels/rows/RowProgram.h"

namespace moec::codegen {

class RowTail {
public:
  /// Those ops of a matrix kernel's body, in order: the ones that a tile cannot compute for its own
  /// columns, and all that read them.
  static llvm::SmallVector<mlir::Operation *> getOps(kern::KernelOp kernel);

  /// Why `op` cannot be one, on at most `rows` rows, or nothing when it can.
  static std::optional<std::string> refuse(mlir::Operation *op, int64_t rows);

  /// Adds the counters to the schedules of a kernel that has such ops.
  static void addCounters(kern::KernelOp kernel, llvm::SmallVectorImpl<Candidate> &candidates);

  /// Allocates workspace: stands before loops. Reports an op that reads what no result holds.
  static mlir::FailureOr<RowTail> get(TileFunction &tile);

  /// Ends a tile of row block `block`, of which there are `numTiles`. Nothing without ops.
  struct Range {
    mlir::Value block, numTiles; // index
    mlir::Value firstRow, numRows;
  };
  mlir::LogicalResult emit(const Range &range);

private:
  RowTail(TileFunction &tile, llvm::ArrayRef<mlir::Operation *> ops);

  TileFunction *tile;
  bool isEmpty;
  std::unique_ptr<RowProgram> program;
  llvm::SmallVector<Sort, 1> sorts; // after the rows
};

} // namespace moec::codegen
