// The matrix product of one tile, shared by every matrix kernel of the host:
//
//   sums[t, n] = sum over k of x[source(t), xColumn + k] * weight[weightRow + n, k]
//
// Two ways, chosen at run time by the number of tokens:
//  - one token: the weight streams through registers once, `rows` of it in flight,
//    unpacked on the way; the block scale multiplies the partial sum of each block;
//  - more: a panel of weight rows is unpacked once, as scaled f32, for all tokens, and
//    multiplied in register tiles of rows x tokens. Both operands run along K, so nothing is
//    transposed; partial sums of the lanes meet in one tree a register tile.
#pragma once

#include "codegen/kernels/matmul/OperandReader.h"

namespace moec::codegen {

/// Static sizes, from the schedule.
struct DotSizes {
  int64_t lanes;      // f32 in a vector
  int64_t columns;    // output columns (weight rows) of a tile; a multiple of `rows`
  int64_t tokens;     // tokens of a tile at most; with 1 only the first way exists
  int64_t rows;       // weight rows of a register tile, a power of two
  int64_t tokenGroup; // tokens of a register tile, a power of two; rows * tokenGroup <= lanes
  int64_t depth;      // K of a panel, a multiple of scale blocks and chunks

  static DotSizes get(const TileFunction &tile);
};

class DotTile {
public:
  /// Allocates workspace: construct it before any loop.
  /// `sumsColumns` is the width of the sums, when several ranges are computed side by side.
  DotTile(TileFunction &tile, OperandReader x, OperandReader weight, DotSizes sizes,
          int64_t sumsColumns = 0);

  struct Range {
    mlir::Value weightRow; // first weight row
    mlir::Value numRows;   // how many, 1 ... sizes.columns
    mlir::Value numTokens; // 1 ... sizes.tokens
    mlir::Value xColumn;   // first column of x; 0 when x is quantized
    llvm::function_ref<mlir::Value(mlir::Value token)> source; // token -> row of x
    mlir::Value expert;                                        // null unless the weight is a stack
    mlir::Value sumsColumn = {};                               // where in the sums; null: 0
    bool aligned = true; // `rows` weight rows from weightRow + i * rows on share their scales
  };
  /// Computes getSums()[0 .. numTokens, sumsColumn + 0 .. numRows]; up to sizes.columns, what lies
  /// beyond is undefined.
  void emit(const Range &range);

  const DotSizes &getSizes() const { return sizes; }
  /// f32 [tokens (and some), columns] in the workspace.
  mlir::Value getSums() const { return sums; }

private:
  void emitStream(const Range &range, const OperandReader &weight);
  void emitBlocked(const Range &range, const OperandReader &weight);
  void emitPanel(const Range &range, const OperandReader &weight, mlir::Value column,
                 int64_t length);
  void emitRegisterTile(mlir::Value row, mlir::Value sumsColumn, mlir::Value token, int64_t tokens,
                        int64_t length);
  using Carry = OperandReader::Carry;
  Carry streamBlock(const OperandReader &weight, mlir::ValueRange rowIndices,
                    mlir::Value blockOffset, int64_t length, mlir::ValueRange carried);
  Carry streamScaledBlock(const OperandReader &weight, mlir::ValueRange rowIndices, bool aligned,
                          mlir::Value blockOffset, int64_t length, mlir::Value block,
                          mlir::ValueRange carried);

  TileFunction &tile;
  OperandReader x, weight;
  DotSizes sizes;
  mlir::Value sums;     // [tokens + tokenGroup, columns or sumsColumns]
  mlir::Value streamed; // [1, K]: the one token's row
  mlir::Value staged;   // [tokenGroup, depth]
  mlir::Value panel;    // [columns, depth]
};

} // namespace moec::codegen
