// Latent attention as published, for one head and a block of tokens:
//
//   for each run of tokens of one sequence:
//     for each block of positions up to the run's last:
//       rows   = the cached rows [latent | rope key], found through the block table, as f32
//       keys   = [rows[:, :latent] . key rows of the up-projection | rope key]
//       values = rows[:, :latent] . value rows of the up-projection
//       the softmax takes them, for each token up to its position
//
// Keys and values of a block are expanded once for all tokens of the run: the more tokens
// follow each other, the less the expansion weighs.
#pragma once

#include "codegen/kernels/attention/CacheRows.h"
#include "codegen/kernels/attention/SoftmaxTile.h"
#include "codegen/kernels/attention/TokenRuns.h"
#include "codegen/kernels/matmul/DotTile.h"

#include <optional>
#include <string>

namespace moec::codegen {

class MlaTile {
public:
  /// Why `op` cannot follow the attention in its kernel, or nothing when it can.
  static std::optional<std::string> refuse(moe::QuantizeOp op);

  /// Allocates workspace and reads the schedule. Reports an up-projection that cannot be read, and
  /// ops that cannot follow.
  static mlir::FailureOr<MlaTile> get(TileFunction &tile, moe::MlaAttentionOp op);

  void emit();

private:
  MlaTile(TileFunction &tile, moe::MlaAttentionOp op, moe::QuantizeOp quantize,
          OperandReader weight);

  /// The tokens from `begin` to `end` are of `sequence`; `context` is the longest that one sees.
  void emitRun(mlir::Value begin, mlir::Value end, mlir::Value context);
  void stageQueries(mlir::Value begin, mlir::Value count);
  void expand(mlir::Value sequence, mlir::Value position, mlir::Value count);
  void storeResult(mlir::Value begin, mlir::Value count);

  TileFunction &tile;
  moe::MlaAttentionOp op;
  moe::QuantizeOp quantize; // may be null
  mlir::ImplicitLocOpBuilder &b;
  int64_t lanes, nope, rope, latent, values; // columns of a head; `values`: of its result
  OperandReader weight;
  CacheRows cache;
  SoftmaxTile softmax;
  mlir::Value rows; // [positions, latent + rope]
  DotTile dot;      // sums: [positions, nope + values]
  mlir::Value keyBlock, valueBlock;
  TokenRuns runs;
  mlir::Value head;
};

} // namespace moec::codegen
