// Attention of a block of queries over blocks of keys in the workspace, with an online softmax:
//
//   for each block of keys:
//     scores = scale * queries . keys                       queries x positions
//     new maximum; weights = exp(scores - maximum); old sums shrink by exp(old - new maximum)
//     output = output * shrink + weights . values
//   result = output / sum of weights
//
// Both products are register tiles of `group` queries, or half as many at the end. A query sees the
// first so many keys of a block; every query sees a key of the first block.
#pragma once

#include "codegen/kernels/TileFunction.h"

namespace moec::codegen {

class SoftmaxTile {
public:
  struct Sizes {
    int64_t lanes;     // f32 in a vector
    int64_t queries;   // at most, a multiple of `group`
    int64_t group;     // queries of a register tile, a power of two; 4 * group <= lanes or so
    int64_t positions; // keys of a block at most, a multiple of 4
    int64_t keyColumns, valueColumns;
    double scale;
  };
  /// Allocates workspace.
  SoftmaxTile(TileFunction &tile, const Sizes &sizes);

  /// f32 [queries, width], to be filled by the caller. Keys are as wide; what lies behind
  /// `keyColumns` up to whole vectors must be zero in both.
  mlir::Value getQueries() const { return queries; }

  /// Begins with the first `numQueries` queries, which may be rounded up to whole groups.
  void start(mlir::Value numQueries);

  /// Takes a block of keys, f32 [positions, ...], and their values, f32 [positions, ...] wide
  /// enough for whole vectors. `countOf` says how many keys a query sees.
  using CountOf = llvm::function_ref<mlir::Value(mlir::Value query)>;
  void update(mlir::Value keys, mlir::Value values, CountOf countOf);

  /// `width` columns of a query's result from `column` on.
  mlir::Value load(mlir::Value query, mlir::Value column, int64_t width) const;

private:
  /// The `group` queries from `query` on.
  void updateGroup(mlir::Value query, int64_t group, mlir::Value keys, mlir::Value values,
                   CountOf countOf);
  void emitScores(mlir::Value query, int64_t group, mlir::Value keys, mlir::Value count);
  /// Returns by how much the query's output shrinks.
  mlir::Value emitWeights(mlir::Value query, mlir::Value count);
  void accumulate(mlir::Value query, mlir::Value column, int64_t vectors, mlir::Value values,
                  mlir::ValueRange shrinks, mlir::Value count);

  mlir::ImplicitLocOpBuilder &b;
  Sizes sizes;
  mlir::Value numQueries;
  mlir::Value queries;      // [queries, key columns]
  mlir::Value scores;       // [queries, positions], then the weights
  mlir::Value output;       // [queries, value columns]
  mlir::Value maxima, sums; // [queries]
};

/// The columns that a row of `columns` f32 takes in the workspace: whole vectors, and so many that
/// rows begin off the 4 KiB that the cache folds addresses by.
int64_t padColumns(int64_t columns, int64_t lanes);

/// f32 [positions of the schedule, padColumns(columns)]: the keys or values of a block.
mlir::Value allocateRows(TileFunction &tile, int64_t columns);

/// Copies `columns` of a row as f32 into a row of the workspace.
void copyColumns(mlir::ImplicitLocOpBuilder &b, int64_t lanes, mlir::Value from,
                 mlir::Value fromRow, mlir::Value fromColumn, int64_t columns, mlir::Value into,
                 mlir::Value intoRow, int64_t intoColumn);

/// Fills a row of the workspace with zeros from `column` up to whole vectors.
void zeroTail(mlir::ImplicitLocOpBuilder &b, int64_t lanes, mlir::Value into, mlir::Value row,
              int64_t column);

} // namespace moec::codegen
