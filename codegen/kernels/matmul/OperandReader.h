// A row-major matrix operand of a dot product, read as f32 in chunks of two vector
// registers: a weight, or the activations.
//
// E4M3 codes are unpacked from pairs: a chunk of 2L codes is read as L words of 16
// bits, whose low bytes are the even columns and high bytes the odd ones. Shifts
// and a mask per byte make the f16 number value / 2^8, and the f16 conversion takes
// care of subnormals at full speed (as f32 bit patterns they would cost an assist
// each). So a chunk's two vectors hold even and odd columns, and the other operand is
// staged in that order; nothing is ever shuffled in the inner loop.
#pragma once

#include "codegen/kernels/TileFunction.h"

namespace moec::codegen {

/// Which columns the two vectors of a chunk hold.
enum class ChunkOrder { Halves, EvenOdd };

/// 2 * lanes consecutive columns as two f32 vectors.
struct Chunk {
  mlir::Value first, second;
};

class OperandReader {
public:
  /// A reader of the kernel argument `value`, `lanes` f32 wide; reports quantization schemes
  /// that it cannot read at the kernel.
  static mlir::FailureOr<OperandReader> get(TileFunction &tile, mlir::Value value, int64_t lanes);

  /// A reader of `columns` columns of rows of f32 in the workspace.
  static OperandReader ofRows(TileFunction &tile, mlir::Value rows, int64_t columns, int64_t lanes);

  /// The same operand with the leading index of a stack [E, N, K] fixed.
  OperandReader select(mlir::Value expert) const;

  /// Rows of a weight.
  int64_t getRows() const { return rows; }
  int64_t getColumns() const { return columns; }
  /// Columns of a chunk.
  int64_t getStep() const { return 2 * lanes; }
  bool isQuantized() const { return static_cast<bool>(scales); }
  /// The order in which chunks come most cheaply.
  ChunkOrder getOrder() const { return isQuantized() ? ChunkOrder::EvenOdd : ChunkOrder::Halves; }

  /// What multiplies the values that `unpack` gives: the scale of `row` in column block
  /// `block`, times 2^8. f32.
  mlir::Value loadScale(mlir::Value row, mlir::Value block) const;

  /// A chunk's elements as stored: [row, column ...]; those from `count` on are zero.
  mlir::Value loadStored(mlir::Value row, mlir::Value column, int64_t count) const;
  /// Whether rows m * multiple ... m * multiple + multiple - 1 have the same scales.
  bool sharesScales(int64_t multiple) const {
    return blockRows == INT64_MAX || blockRows % multiple == 0;
  }

  /// One element of operands without scales, as f32.
  mlir::Value loadElement(mlir::Value row, mlir::Value column) const;

  /// Stored elements as f32 in getOrder(), without the scale. NaN codes (0x7f, 0xff) become NaN,
  /// or, without `exactNan`, numbers.
  Chunk unpack(mlir::Value stored, bool exactNan) const;

  // A NaN code makes a row's dot products NaN. So where only those are wanted, it is
  // enough to track the largest of all codes of a row with the sign set: 0xff then.
  mlir::Value startNan() const;
  mlir::Value trackNan(mlir::Value tracker, mlir::Value stored) const;
  /// `value`, or NaN when the tracker met a NaN code. f32.
  mlir::Value applyNan(mlir::Value tracker, mlir::Value value) const;

  // Walks over [0, length) columns from `column` on with values carried along.
  using Carry = llvm::SmallVector<mlir::Value>;
  /// One call for each scale block (one in all without scales): its offset from `column`, its
  /// length, its index among the row's scales. `column` begins a block.
  Carry forBlocks(mlir::Value column, int64_t length, mlir::ValueRange init,
                  llvm::function_ref<Carry(mlir::Value offset, int64_t length, mlir::Value block,
                                           mlir::ValueRange carried)>
                      body) const;
  /// One call for each chunk of a block: its offset from the block's, and how many elements count.
  Carry
  forChunks(int64_t length, mlir::ValueRange init,
            llvm::function_ref<Carry(mlir::Value offset, int64_t count, mlir::ValueRange carried)>
                body) const;

private:
  OperandReader(TileFunction &tile) : tile(&tile) {}
  mlir::SmallVector<mlir::Value> at(mlir::Value row, mlir::Value column) const;
  mlir::Type getStorage() const;
  mlir::Value unpackHalf(mlir::Value stored, int64_t offset) const;
  mlir::Value loadPieces(mlir::Value row, mlir::Value column, int64_t count) const;

  TileFunction *tile;
  mlir::Value data, scales, expert;
  mlir::Type element;
  int64_t rows = 0, columns = 0, lanes = 0, blockRows = 0, blockColumns = 0;
};

/// Writes `length` (static) columns of a row from `column` on as scaled f32 values in `order`
/// to into[intoRow, 0 ...], zeros up to the next whole chunk. A NaN code makes the first of them
/// NaN.
void stageRow(TileFunction &tile, const OperandReader &from, mlir::Value row, mlir::Value column,
              int64_t length, ChunkOrder order, mlir::Value into, mlir::Value intoRow);

/// `chunk` in another order.
Chunk reorder(mlir::ImplicitLocOpBuilder &b, Chunk chunk, ChunkOrder from, ChunkOrder to);

} // namespace moec::codegen
