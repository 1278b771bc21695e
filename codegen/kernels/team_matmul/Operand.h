// A row-major matrix operand of a product, read as f32 with the scales of its blocks apart: a
// weight [N, K], a stack of them [E, N, K], or activations.
#pragma once

#include "codegen/kernels/TileFunction.h"

#include <optional>
#include <string>

namespace moec::codegen {

class Operand {
public:
  /// Why products cannot read values of `type`, or nothing when they can.
  static std::optional<std::string> refuse(mlir::Type type);

  /// The kernel's argument `value`.
  Operand(TileFunction &tile, mlir::Value value);

  /// The same with the leading index of a stack fixed.
  Operand select(mlir::Value expert) const;

  int64_t getRows() const { return rows; }
  int64_t getColumns() const { return columns; }
  bool isQuantized() const { return static_cast<bool>(buffer.scales); }
  /// Columns that share a scale; a multiple of what a thread reads at once, or all.
  int64_t getBlockColumns() const { return blockColumns; }

  /// `lanes` stored elements as f32.
  mlir::Value load(mlir::ImplicitLocOpBuilder &b, mlir::Value row, mlir::Value column,
                   int64_t lanes) const;
  mlir::Value loadElement(mlir::ImplicitLocOpBuilder &b, mlir::Value row, mlir::Value column) const;
  /// As stored, codes as i8.
  mlir::Value loadRaw(mlir::ImplicitLocOpBuilder &b, mlir::Value row, mlir::Value column,
                      int64_t lanes) const;
  mlir::Value loadRawElement(mlir::ImplicitLocOpBuilder &b, mlir::Value row,
                             mlir::Value column) const;
  /// The scale of an element, f32; null without scales.
  mlir::Value loadScale(mlir::ImplicitLocOpBuilder &b, mlir::Value row, mlir::Value column) const;

private:
  llvm::SmallVector<mlir::Value, 3> at(mlir::Value row, mlir::Value column) const;

  Buffer buffer;
  mlir::Value expert;
  int64_t rows, columns;
  int64_t blockRows = 0, blockColumns = 0; // 0: all
};

/// The product of two scales, either of which may be null; null when both are.
mlir::Value multiplyScales(mlir::ImplicitLocOpBuilder &b, mlir::Value lhs, mlir::Value rhs);

} // namespace moec::codegen
