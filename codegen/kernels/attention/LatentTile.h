// Latent attention of one token and a block of its heads, with an online softmax:
//
//   for each block of positions 0 ... positions[token]:
//     rows   = the cached rows, found through the block table, as f32
//     scores = scale * queries . rows                       heads x positions
//     new maximum; weights = exp(scores - maximum); old sums shrink by exp(old - new maximum)
//     output = output * shrink + weights . rows[:, :latent]
//   result = output / sum of weights
//
// All heads share the cached rows (one key-value head), so a row is fetched once for
// the block of heads. Both products are register tiles over rows in the workspace.
#pragma once

#include "codegen/kernels/TileFunction.h"

namespace moec::codegen {

class LatentTile {
public:
  /// Allocates workspace and reads the schedule.
  LatentTile(TileFunction &tile, moe::LatentAttentionOp op);

  void emit();

private:
  void stageQueries();
  void start();
  /// Fetches `count` cached rows from `position` on.
  void fetchRows(mlir::Value position, mlir::Value count);
  void emitScores(mlir::Value count);
  void emitWeights(mlir::Value count);
  void accumulate(mlir::Value count);
  void accumulateColumns(mlir::Value head, mlir::Value column, int64_t vectors, mlir::Value count);
  void storeResult();
  /// Copies `columns` of a buffer's row into f32 workspace.
  void copy(mlir::Value from, mlir::Value fromRow, mlir::Value fromColumn, int64_t columns,
            mlir::Value into, mlir::Value intoRow, int64_t intoColumn);
  void forHeads(int64_t step, llvm::function_ref<void(mlir::Value)> body);

  TileFunction &tile;
  moe::LatentAttentionOp op;
  mlir::ImplicitLocOpBuilder &b;
  int64_t heads, latent, rope, queryColumns, page;       // of the model
  int64_t lanes, headBlock, headGroup, positions, width; // of the schedule; padded row
  Buffer cache, blockTable;
  mlir::Value token, firstHead, sequence;
  mlir::Value queries;               // [headBlock, width]: latent, rope, zeros
  mlir::Value rows;                  // [positions, width]: likewise
  mlir::Value scores;                // [headBlock, positions], then the weights
  mlir::Value output;                // [headBlock, width]
  mlir::Value maxima, sums, shrinks; // [headBlock]
};

} // namespace moec::codegen
