// Attention over cached keys and values, for one key-value head, some of the query heads that share
// it and a block of tokens. The softmax's queries are those heads of those tokens: query
// i * heads + j is head j of token i, so that what is fetched of a sequence serves them all.
//
//   for each run of tokens of one sequence:
//     for each block of positions up to the run's last:
//       keys, values = this head's columns of the cached rows, found through the block table, as
//       f32 the softmax takes them, for each query up to its token's position
#pragma once

#include "codegen/kernels/Emitter.h"
#include "codegen/kernels/attention/CacheRows.h"
#include "codegen/kernels/attention/SoftmaxTile.h"
#include "codegen/kernels/attention/TokenRuns.h"

#include <optional>
#include <string>

namespace moec::codegen {

class GqaTile {
public:
  /// Why `op` cannot follow the attention in its kernel, or nothing when it can.
  static std::optional<std::string> refuse(moe::QuantizeOp op);

  /// Schedules: fewer heads a tile give more workers something to do, and fetch the context more
  /// often.
  static llvm::SmallVector<Candidate> getCandidates(kern::KernelOp kernel, const Machine &machine);

  /// Tiles of one block of tokens.
  static int64_t countTiles(moe::AttentionOp op, kern::ScheduleAttr schedule);

  /// Allocates workspace and reads the schedule. Reports ops that cannot follow.
  static mlir::FailureOr<GqaTile> get(TileFunction &tile, moe::AttentionOp op);

  void emit();

private:
  GqaTile(TileFunction &tile, moe::AttentionOp op, moe::QuantizeOp quantize);

  /// The tokens from `begin` to `end` are of one sequence; `context` is the longest that one sees.
  void emitRun(mlir::Value begin, mlir::Value end, mlir::Value context);
  void stageQueries(mlir::Value begin, mlir::Value count);
  void storeResult(mlir::Value begin, mlir::Value count);

  TileFunction &tile;
  moe::AttentionOp op;
  moe::QuantizeOp quantize; // may be null
  mlir::ImplicitLocOpBuilder &b;
  int64_t lanes, keyDim, valueDim;
  int64_t shared;    // query heads of a key-value head
  int64_t headBlock; // of these in a tile
  CacheRows cache;
  TokenRuns runs;
  SoftmaxTile softmax;
  mlir::Value keyBlock, valueBlock; // [positions, columns]
  mlir::Value staged;               // [1, heads * value columns], to be quantized
  mlir::Value keyHead, firstHead;   // of the cache, of the query
  mlir::Value headCount;            // heads of the tile; behind them stand-ins are computed
};

} // namespace moec::codegen
