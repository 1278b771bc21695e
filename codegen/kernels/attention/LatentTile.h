// Latent attention of one token and a block of its heads: the softmax's queries are the heads,
// keys and values are the cached rows. All heads share those (one key-value head), so a row is
// fetched once for the block of heads.
#pragma once

#include "codegen/kernels/attention/CacheRows.h"
#include "codegen/kernels/attention/HeadOutput.h"
#include "codegen/kernels/attention/SoftmaxTile.h"

namespace moec::codegen {

class LatentTile {
public:
  /// Allocates workspace and reads the schedule. `product`, or null, takes each head's result.
  LatentTile(TileFunction &tile, moe::LatentAttentionOp op, HeadOutput *product);

  void emit();

private:
  void stageQueries();
  void storeResult();

  TileFunction &tile;
  moe::LatentAttentionOp op;
  HeadOutput *product;
  mlir::ImplicitLocOpBuilder &b;
  int64_t heads, latent, rope, queryColumns; // of the model
  int64_t lanes, headBlock, positions;       // of the schedule
  CacheRows cache;
  SoftmaxTile softmax;
  mlir::Value rows; // [positions, latent + rope]
  mlir::Value token, firstHead;
};

} // namespace moec::codegen
