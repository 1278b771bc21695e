// SwiGLU, and quantization when there is one, behind a product whose columns are gates in one range
// and what they gate in another: of each block of intermediate columns a tile has both.
//
// In the weight the two lie apart, gates first, or in turn in blocks of rows (#moe.interleave), as
// the target asked for; a tile then streams one run of rows.
#pragma once

#include "codegen/kernels/TileFunction.h"

#include <optional>
#include <string>

namespace moec::codegen {

class GatedEpilogue {
public:
  /// Whether the kernel of `hero` is a gated one; nothing else is asked of its body.
  static bool matches(kern::KernelOp kernel);
  /// The intermediate columns of a gated kernel.
  static int64_t getColumns(kern::KernelOp kernel);
  /// What the columns of a tile must be a multiple of: quantization blocks are never divided.
  static int64_t getColumnMultiple(kern::KernelOp kernel);

  /// Why `op` (a slice, deinterleave, swiglu or quantize) cannot be a part of one, or nothing when
  /// it can.
  static std::optional<std::string> refuse(mlir::Operation *op);

  /// The ops behind `hero`; reports one that cannot be there.
  static mlir::FailureOr<GatedEpilogue> get(TileFunction &tile, mlir::Operation *hero,
                                            const Team &team);

  /// Where gates and what they gate are among the product's columns: each in one range that begins
  /// at its offset, or in turn in blocks.
  struct Layout {
    int64_t gateOffset = 0, upOffset = 0;
    int64_t block = 0; // columns; 0: one range each
  };
  const Layout &getLayout() const { return layout; }

  /// Weight rows of an intermediate column: its gate's, and how far behind that is the one of what
  /// it gates.
  struct Rows {
    mlir::Value gate, distance;
  };
  Rows findRows(mlir::Value column) const;

  /// Of row `token` of `sums`, [0 .. columns] are gates and [upColumn .. upColumn + columns] what
  /// they gate; both are overwritten. Writes columns [column ...] of row `row` of the results.
  struct Row {
    mlir::Value sums, token, row, column;
    int64_t upColumn, columns;
  };
  void emit(const Row &row) const { emit(team, row); }
  /// By a part of the team.
  void emit(const Team &part, const Row &row) const;

private:
  GatedEpilogue(TileFunction &tile, const Team &team) : tile(&tile), team(team) {}

  TileFunction *tile;
  Team team;
  Layout layout;
  moe::SwigluOp swiglu;
  llvm::SmallVector<moe::QuantizeOp> quantizes;
};

} // namespace moec::codegen
