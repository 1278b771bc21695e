// Choosing experts for one row.
#pragma once

#include "codegen/kernels/rows/RowRef.h"

namespace moec::codegen {

/// The gate of one row at a time. Scores and choices live in the workspace.
class GateEmitter {
public:
  /// Allocates the workspace; stands before loops.
  GateEmitter(TileFunction &tile, moe::GateOp op);

  /// Chooses for the row whose logits are `logits`; writes its ids and weights
  /// ([top_k + shared], i32 and float).
  void emit(const RowRef &logits, const RowRef &ids, const RowRef &weights);

private:
  void emitScores(const RowRef &logits);
  void emitChoices();
  void maskGroups();
  /// The largest of the elements that are not taken, and its index.
  mlir::Value findBest(mlir::Value values, mlir::Value taken, int64_t size);
  /// Selects `count` of the largest `size` elements of `values`: calls `body(n, index)` for the
  /// n-th by one thread, ties to the lower index. `taken` is overwritten.
  void selectLargest(mlir::Value values, mlir::Value taken, int64_t size, int64_t count,
                     llvm::function_ref<void(mlir::Value, mlir::Value)> body);

  TileFunction &tile;
  mlir::ImplicitLocOpBuilder &b;
  moe::GateOp op;
  int64_t experts, groups;
  Team team;
  mlir::Value scores, choices, taken;   // [experts]: f32, f32, i8
  mlir::Value groupScores, takenGroups; // [groups]: f32, i8
};

} // namespace moec::codegen
