// sums[t, k] = sum over i of x[token + t, xColumn + i] * weight[weightRow + i, column + k]
//
// The transposed product of one tile. For one token the weight's rows stream through registers,
// the block scales multiplying the activations. For more they are unpacked once into a panel of
// scaled f32; then each group of tokens walks down the panel with its sums in registers. The
// columns of a chunk stay in the order in which they were unpacked until the end.
#pragma once

#include "codegen/kernels/matmul/MatrixSchedule.h"
#include "codegen/kernels/matmul/OperandReader.h"

namespace moec::codegen {

class RowSumTile {
public:
  /// Allocates workspace: construct it before any loop. `depth` is how many i there are.
  RowSumTile(TileFunction &tile, OperandReader x, OperandReader weight, int64_t depth);

  static Candidate getCandidate(kern::KernelOp kernel, const Machine &machine);

  struct Range {
    mlir::Value weightRow, column, xColumn, token, numTokens;
  };
  /// `block` says how many columns there are.
  void emit(const Range &range, const ColumnBlock &block);
  /// The same for `count` columns.
  void emit(const Range &range, int64_t count);

  /// f32 [tokens (and some), columns].
  mlir::Value getSums() const { return sums; }

private:
  void emitStream(const Range &range, int64_t count);
  void emitStreamTile(const Range &range, mlir::Value offset, mlir::Value block, int64_t count);
  void emitPanel(const Range &range, int64_t count);
  void emitRegisterTile(const Range &range, mlir::Value token, mlir::Value chunk, int64_t chunks);
  void storeSums(mlir::Value token, mlir::Value column, mlir::ValueRange totals);

  TileFunction &tile;
  OperandReader x, weight;
  int64_t depth, lanes, columns, group, chunks;
  mlir::Value sums;  // [tokens + group, columns]
  mlir::Value panel; // [depth, columns]
};

} // namespace moec::codegen
