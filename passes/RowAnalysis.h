// Follows row counts: which run-time size, times which constant, axis 0 of a
// value is. Sizes enter through function arguments (by their role) or through a
// kernel's `rows`, and RowsInterface carries them from op to op.
#pragma once

#include "dialects/kern/KernDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace moec::passes {

class RowAnalysis {
public:
  /// Row counts of all values of a function, those inside its groups included.
  /// Fails with an error at the value whose count cannot be told.
  static mlir::FailureOr<RowAnalysis> compute(mlir::func::FuncOp function);
  static mlir::FailureOr<RowAnalysis> compute(kern::KernelOp kernel);

  /// `#kern.rows`, or a unit attribute for values without a dynamic axis 0.
  mlir::Attribute getRows(mlir::Value value) const { return rows.lookup(value); }

  /// Tells that `to` stands for `from` from now on, e.g. after a rewrite.
  void replace(mlir::Value from, mlir::Value to) { rows[to] = rows.lookup(from); }

  /// Learns the results of a group that was made of ops whose values are known.
  void addResults(kern::GroupOp group);

  /// Elements from one row of `value` to the next in memory: that of the buffer
  /// it lies in when it is a slice outside groups, else contiguous. 0 for values without rows.
  int64_t getRowStride(mlir::Value value) const;

private:
  mlir::LogicalResult visit(mlir::Operation &op);
  mlir::Attribute inferRows(mlir::Operation &op, unsigned result) const;

  llvm::DenseMap<mlir::Value, mlir::Attribute> rows;
};

/// Axis 0 of a value of type `type` at the given run-time sizes (indexed by kern::Dim).
uint64_t countRows(mlir::Attribute rows, mlir::Type type, llvm::ArrayRef<uint64_t> sizes);

} // namespace moec::passes
