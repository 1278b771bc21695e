// The gate of a row by one subgroup: each thread has neighbouring experts in registers, choices are
// compared as integers of the same order, and the best is found by reductions over the subgroup.
#pragma once

#include "codegen/kernels/Machine.h"
#include "codegen/kernels/rows/RowRef.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace moec::codegen {

class TeamGate {
public:
  /// Whether the experts and their groups divide among the threads.
  static bool accepts(moe::GateOp op, const Machine &machine);

  /// `part` is one subgroup.
  TeamGate(TileFunction &tile, moe::GateOp op, const Team &part);

  /// As GateEmitter: chooses for the row whose logits are `logits`, writes its ids and weights.
  void emit(const RowRef &logits, const RowRef &ids, const RowRef &weights);

private:
  using Values = llvm::SmallVector<mlir::Value, 16>;

  mlir::Value number(int64_t value);
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value lhs, mlir::Value rhs);
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);
  /// The thread's elements of a row, the last one again for experts that do not exist.
  Values load(const RowRef &row);
  Values score(Values logits);
  Values addBias(const Values &scores);
  /// An i32 that is larger, unsigned, the better the choice: NaN is 1, and 0 is left for none.
  mlir::Value makeKey(mlir::Value choice);
  /// The choices, -infinity where a group is not among the best.
  void maskGroups(Values &choices);
  mlir::Value scoreGroup(const Values &choices);
  void store(const RowRef &ids, const RowRef &weights, mlir::Value id, mlir::Value weight,
             mlir::Value sum);

  mlir::ImplicitLocOpBuilder &b;
  TileFunction &tile;
  moe::GateOp op;
  const Team &part;
  int64_t experts, own;    // of all threads, and of one
  mlir::Value lane, first; // i32: the thread, and its first expert
};

} // namespace moec::codegen
