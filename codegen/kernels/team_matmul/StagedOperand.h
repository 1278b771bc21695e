// A slice of a product's operand on its way to matrix instructions: from device memory through a
// thread's registers, as stored, to shared memory as bf16 [rows, kSlice] with the scale of each
// row. E4M3 codes are bf16 numbers exactly, so that only the f32 sums meet the scales.
#pragma once

#include "codegen/kernels/MatrixFragments.h"
#include "codegen/kernels/team_matmul/Operand.h"

namespace moec::codegen {

class StagedOperand {
public:
  static constexpr int64_t kSlice = 64; // of the depth

  /// Whether products over a multiple of kSlice at a time can read values of `type`: bf16, or E4M3
  /// with scales for whole slices. Transposed: slices are rows of the operand, and begin at
  /// multiples of `alignment` rows.
  static bool accepts(mlir::Type type);
  static bool acceptsTransposed(mlir::Type type, int64_t depth, int64_t alignment);

  /// Allocates workspace for `rows` rows.
  StagedOperand(TileFunction &tile, Operand operand, int64_t rows, int64_t padding,
                bool isTransposed = false);

  /// Where the tile's rows are. Transposed, they are columns of the operand.
  struct Range {
    mlir::Value numRows; // of the tile; the last stands in for those behind it
    /// A row of the tile to one of the operand; not transposed.
    llvm::function_ref<mlir::Value(mlir::Value row)> source;
    mlir::Value firstRow;    // transposed: where the depth begins
    mlir::Value firstColumn; // where the depth, or the tile's rows, begin
    mlir::Value expert;      // null unless the operand is a stack
  };
  /// What of a range is the same for all slices: for each of the thread's runs, and for its scale,
  /// the row of the operand, or its column when transposed.
  struct Place {
    Range range;
    llvm::SmallVector<mlir::Value> runs;
    mlir::Value scale;
  };
  Place getPlace(const Range &range);

  /// A thread's share of the slice that begins at `first`: raw runs, then the scale when there is
  /// one. What lies behind `valid` of it is zero and not read.
  llvm::SmallVector<mlir::Value> load(const Place &place, mlir::Value first,
                                      int64_t valid = kSlice);
  /// Puts such a share into shared memory. Barriers are the caller's.
  void store(mlir::ValueRange share);

  bool isScaled() const { return static_cast<bool>(scales); }
  /// vector<8 x bf16> of a row at a depth within the slice.
  mlir::Value read(mlir::Value row, mlir::Value depth) const;
  mlir::Value readScale(mlir::Value row) const;

private:
  /// A run of the slice: which row of the tile it belongs to (the first of them, transposed) and
  /// where in the depth.
  struct Run {
    mlir::Value row, depth;
  };
  Run getRun(int64_t index) const;
  int64_t countRuns() const;
  Operand select(const Range &range) const;
  mlir::Value loadRun(const Place &place, int64_t index, mlir::Value first, int64_t valid);
  mlir::Value loadStraight(const Operand &from, mlir::Value row, mlir::Value column,
                           mlir::Value depth, int64_t valid);
  mlir::Value loadScale(const Place &place, mlir::Value first);
  mlir::Value convert(mlir::Value raw) const;
  mlir::VectorType getRawType() const;

  TileFunction &tile;
  mlir::ImplicitLocOpBuilder &b;
  Operand operand;
  int64_t rows;
  bool isTransposed;
  mlir::Value values, scales; // shared memory; scales null without
};

} // namespace moec::codegen
