// What follows the product in a kernel's body: elementwise ops on the tile, then
// the stores. Operands other than the product are arguments of the same shape.
#pragma once

#include "codegen/kernels/matmul/MatrixSchedule.h"

#include <optional>
#include <string>

namespace moec::codegen {

class Epilogue {
public:
  /// The ops after `hero` in the kernel's body; reports an op that cannot follow it.
  /// `feeder`, which feeds the hero and nothing else, is computed by the caller.
  static mlir::FailureOr<Epilogue> get(TileFunction &tile, mlir::Operation *hero, const Team &team,
                                       mlir::Operation *feeder = nullptr);

  /// Why `op` cannot follow a matrix product in its kernel, or nothing when it can.
  static std::optional<std::string> refuse(mlir::Operation *op);

  /// Takes sums[0 .. numTokens, 0 .. n] to the results at [resultRow(t), resultColumn ...], n being
  /// `columns`, or fewer in a short block.
  struct Range {
    mlir::Value sums, numTokens, resultColumn;
    llvm::function_ref<mlir::Value(mlir::Value token)> resultRow;
    int64_t columns;
    ColumnBlock block;
    mlir::Value sumsColumn = {}; // first column in the sums; null: 0
  };
  void emit(const Range &range) const;

private:
  Epilogue(TileFunction &tile, mlir::Operation *hero, const Team &team)
      : tile(&tile), hero(hero), team(team) {}
  void emitColumns(const Range &range, mlir::Value token, int64_t columns, const Team &part) const;

  TileFunction *tile;
  mlir::Operation *hero;
  Team team;
  llvm::SmallVector<mlir::Operation *> ops; // the hero and those behind it that a tile computes
};

} // namespace moec::codegen
