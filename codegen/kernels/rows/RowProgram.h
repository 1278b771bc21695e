// Row-wise ops computed a row at a time: each op is loops over the columns of one
// row, intermediate rows live in the workspace, results are written straight to
// their buffers. The group's body is the program; there are no special cases
// for particular fusions.
#pragma once

#include "codegen/kernels/routing/Gate.h"
#include "codegen/kernels/rows/RowRef.h"

#include "llvm/ADT/DenseMap.h"

#include <optional>
#include <string>

namespace moec::codegen {

class RowProgram {
public:
  /// Whether `op` can be part of a row program: the reason when it cannot.
  static std::optional<std::string> refuse(mlir::Operation *op);

  /// Allocates workspace rows for the results of `ops` that are no results of the kernel. Stands
  /// before loops.
  RowProgram(TileFunction &tile, llvm::ArrayRef<mlir::Operation *> ops);

  /// Says where the row of a value lies that the program reads but does not compute.
  void bind(mlir::Value value, RowRef ref) { bound[value] = ref; }

  /// Computes row `row` of the ops, in order. A failure has been reported at an op.
  mlir::LogicalResult emit(mlir::Value row);

  /// Copies a row, scales included.
  void copy(const RowRef &from, const RowRef &to);

private:
  RowRef get(mlir::Value value);
  /// Where the op's result goes: a result's row, or the workspace.
  RowRef getDestination(mlir::Value value);
  RowRef getRowOf(const Buffer &buffer, mlir::Type type, mlir::Value row);
  mlir::LogicalResult emitOp(mlir::Operation *op);

  void forHeads(int64_t heads, int64_t columns,
                llvm::function_ref<void(mlir::Value, const Team &)> body);
  void emitAdd(moe::AddOp op);
  void emitSwiglu(moe::SwigluOp op);
  void emitRmsNorm(moe::RmsNormOp op);
  void emitConcat(moe::ConcatOp op);
  void emitQuantize(moe::QuantizeOp op);
  void emitDequantize(moe::DequantizeOp op);
  void emitEmbedding(moe::EmbeddingOp op);
  void emitGatherRows(moe::GatherRowsOp op);
  void emitCombine(moe::CombineOp op);
  void emitGate(moe::GateOp op);
  mlir::LogicalResult emitRope(moe::RopeOp op);
  void emitCacheAppend(moe::CacheAppendOp op);

  TileFunction &tile;
  mlir::ImplicitLocOpBuilder &b;
  Team team;
  llvm::SmallVector<mlir::Operation *> ops;
  llvm::DenseMap<mlir::Value, RowRef> workspace; // rows of intermediates
  llvm::DenseMap<mlir::Value, RowRef> bound;     // rows of this pass over the ops
  llvm::DenseMap<mlir::Operation *, std::unique_ptr<GateEmitter>> gates;
  mlir::Value row;
};

} // namespace moec::codegen
