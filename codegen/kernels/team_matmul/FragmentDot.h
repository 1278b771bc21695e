// The matrix product of one tile by matrix instructions, for any GPU that has some:
//
//   sums[t, n] = sum over k of x[source(t), xColumn + k] * weight[weightRow + n, k]
//
// or, transposed, * weight[weightRow + k, weightColumn + n]. Each subgroup computes kPart x kPart
// sums in registers. Both operands pass through shared memory a slice of the depth at a time; while
// one slice is multiplied, the next is on its way to registers.
#pragma once

#include "codegen/kernels/team_matmul/StagedOperand.h"
#include "codegen/kernels/team_matmul/TeamDot.h"

namespace moec::codegen {

class FragmentDot {
public:
  static constexpr int64_t kPart = 32; // rows and columns of a subgroup's sums

  /// Threads of a tile of `tokens` x `columns`, multiples of kPart.
  static int64_t countThreads(int64_t tokens, int64_t columns, int64_t subgroup) {
    return tokens / kPart * (columns / kPart) * subgroup;
  }

  struct Shape {
    int64_t tokens, columns;
    int64_t parts = 1; // products of so many columns, side by side in the sums
    int64_t depth;     // of the sum
    bool isTransposed = false;
  };
  /// Allocates workspace: construct it before any loop. The operands are such as StagedOperand
  /// accepts.
  FragmentDot(TileFunction &tile, Operand x, Operand weight, const Shape &shape);

  /// A barrier follows before the sums are read, none is needed before.
  void emit(const TeamDot::Range &range);

  /// f32 [tokens, parts * columns].
  mlir::Value getSums() const { return sums; }

private:
  /// Indices of the thread's items from the tile's origin, for the fragment at (0, 0) of its part.
  struct Origin {
    mlir::Value row, column;
  };
  Origin getOrigin(const LaneMap &map, mlir::Value rowPart, mlir::Value columnPart);
  llvm::SmallVector<mlir::Value> multiply(mlir::ValueRange totals);
  llvm::SmallVector<mlir::Value> readRuns(const StagedOperand &from, const LaneMap &map,
                                          const Origin &origin, int64_t row, int64_t depth);
  mlir::Value promote(mlir::Value sum, mlir::Value total, int64_t row, int64_t column);
  void storeTotals(mlir::ValueRange totals, int64_t sumsColumn);
  mlir::VectorType getSumType();

  TileFunction &tile;
  mlir::ImplicitLocOpBuilder &b;
  const MatrixFragments &fragments;
  Shape shape;
  StagedOperand x, weight;
  mlir::Value sums;
  Origin originA, originB, originC;
};

} // namespace moec::codegen
