// The plain transposed product of one tile by a team:
//
//   into[t, k] = sum over i of x[token + t, xColumn + i] * weight[weightRow + i, column + k]
//
// Threads share the columns; each walks down the weight's rows.
#pragma once

#include "codegen/kernels/team_matmul/Operand.h"

namespace moec::codegen {

struct TeamRowSum {
  const Operand &weight;
  mlir::Value weightRow, column;
  int64_t depth, columns;
  /// x of token `t` for row i, f32.
  llvm::function_ref<mlir::Value(int64_t token, mlir::Value i)> load;
  int64_t tokens; // at once

  /// Calls `store(token, column, values)` for each token's columns.
  void
  emit(mlir::ImplicitLocOpBuilder &b, const Team &team,
       llvm::function_ref<void(int64_t token, mlir::Value column, mlir::Value values)> store) const;
};

} // namespace moec::codegen
