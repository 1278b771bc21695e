// The plain matrix product of one tile by a team, for any shape and any GPU:
//
//   sums[t, n] = sum over k of x[source(t), xColumn + k] * weight[weightRow + n, k]
//
// Each subgroup takes kRows weight rows at a time and kTokens tokens; its threads share K, each
// multiplies its columns in f32, and the partial sums meet in shuffles.
#pragma once

#include "codegen/kernels/team_matmul/Operand.h"

namespace moec::codegen {

/// Calls `body(offset, width, carried)` for the thread's share of [0, columns), as forColumns does,
/// with values carried along; returns the last ones.
llvm::SmallVector<mlir::Value>
foldColumns(mlir::ImplicitLocOpBuilder &b, int64_t columns, const Team &team,
            llvm::ArrayRef<mlir::Value> init,
            llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value offset, int64_t width,
                                                              mlir::ValueRange carried)>
                body);

/// The dot product of two vectors of f32, added to `sum`.
mlir::Value dot(mlir::ImplicitLocOpBuilder &b, mlir::Value lhs, mlir::Value rhs, mlir::Value sum);

class TeamDot {
public:
  static constexpr int64_t kRows = 4, kTokens = 4;

  /// Allocates workspace: construct it before any loop. Sums for `tokens` x `columns` at most.
  TeamDot(TileFunction &tile, Operand x, Operand weight, int64_t tokens, int64_t columns);

  struct Range {
    mlir::Value weightRow; // first weight row; transposed, where the depth begins
    /// Column of the sums, from sumsColumn on, -> weight row; null: they follow weightRow.
    llvm::function_ref<mlir::Value(mlir::Value column)> weightSource = {};
    mlir::Value numRows;   // 1 ... columns
    mlir::Value numTokens; // 1 ... tokens
    mlir::Value xColumn;   // first column of x; 0 when x is quantized
    llvm::function_ref<mlir::Value(mlir::Value token)> source; // token -> row of x
    mlir::Value expert;                                        // null unless the weight is a stack
    int64_t sumsColumn = 0;                                    // where in the sums
    mlir::Value weightColumn = {}; // first column of a transposed weight, whose rows are the depth
  };
  /// No barrier stands before or behind it.
  void emit(const Range &range);

  static mlir::Value getWeightRow(mlir::ImplicitLocOpBuilder &b, const Range &range,
                                  mlir::Value column);

  /// f32 [tokens, columns], each rounded up.
  mlir::Value getSums() const { return sums; }

private:
  void emitGroup(const Range &range, const Operand &weight, mlir::Value row, mlir::Value token,
                 const Team &part);

  TileFunction &tile;
  mlir::ImplicitLocOpBuilder &b;
  Operand x, weight;
  mlir::Value sums;
};

} // namespace moec::codegen
