// What a machine's matrix instruction multiplies, and how the threads of a subgroup hold it:
//
//   C [rows, columns] f32 += A [rows, kDepth] bf16 * B [columns, kDepth] bf16, transposed
//
// Of A and B a thread holds runs of kRun neighbours along the depth, so that a run is one access of
// 16 bytes, whatever the instruction calls them: a sum over the depth may take its terms in any
// order, if A and B agree. A target fills this in; emitters in codegen/kernels see nothing else of
// the instruction.
#pragma once

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <array>

namespace moec::codegen {

/// A number that depends on the thread: lane / divisor % modulus * scale.
struct LaneNumber {
  int64_t divisor = 1, modulus = 0, scale = 0; // modulus 0: none

  int64_t operator()(int64_t lane) const {
    return (modulus ? lane / divisor % modulus : lane / divisor) * scale;
  }
  mlir::Value emit(mlir::ImplicitLocOpBuilder &b, mlir::Value lane) const;
};

/// Where in a fragment a thread's items are: runs of A or B by their rows and their first index
/// along the depth, elements of C by rows and columns.
struct LaneMap {
  using Place = std::array<int64_t, 2>;
  LaneNumber row, column;      // of the thread
  llvm::ArrayRef<Place> items; // from there

  Place at(int64_t lane, int64_t item) const {
    return {row(lane) + items[item][0], column(lane) + items[item][1]};
  }
};

struct MatrixFragments {
  static constexpr int64_t kDepth = 32, kRun = 8;

  int64_t rows, columns;
  LaneMap a, b, c;
  /// Elements to add to rows of a multiple of 64, so that a subgroup's runs lie in different banks.
  int64_t rowPadding;
  /// vector<kRun x bf16> for each item of A and of B, C as a vector of its items; returns the new
  /// C.
  mlir::Value (*multiply)(mlir::ImplicitLocOpBuilder &b, mlir::ValueRange lhs, mlir::ValueRange rhs,
                          mlir::Value sum);
};

} // namespace moec::codegen
