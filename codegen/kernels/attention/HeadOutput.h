// What follows the attention of a token in its kernel: each head's context times the head's rows
// of the value up-projection, and the quantization of the result.
//
//   values[h * w_size + i] = sum over k of context[h][k] * weight[h * rows + w_offset + i, k]
//
// A tile reads its heads' part of the weight once for its one token, so this pays when tokens are
// few.
#pragma once

#include "codegen/kernels/matmul/DotTile.h"
#include "codegen/kernels/rows/RowRef.h"

#include <optional>
#include <string>

namespace moec::codegen {

/// Most heads of a tile.
inline constexpr int64_t kMostHeads = 8;

class HeadOutput {
public:
  /// Why `op` cannot follow an attention, or nothing when it can.
  static std::optional<std::string> refuse(mlir::Operation *op);

  /// Whether tiles of `heads` heads end with blocks of the quantization.
  static bool endsBlocks(moe::HeadLinearOp product, moe::QuantizeOp quantize, int64_t heads);

  /// The product after `attention` in the kernel's body; null when the attention is alone. Reports
  /// an op that cannot follow it. Allocates workspace.
  static mlir::FailureOr<std::unique_ptr<HeadOutput>> get(TileFunction &tile,
                                                          moe::LatentAttentionOp attention);

  /// Multiplies the context of head `head`, the tile's `local`-th, of `token`; `load` gives its
  /// columns.
  using Load = llvm::function_ref<mlir::Value(mlir::Value column, int64_t width)>;
  void emitHead(mlir::Value token, mlir::Value head, mlir::Value local, Load load);

  /// Quantizes the tile's `count` heads from `firstHead` on.
  void finish(mlir::Value token, mlir::Value firstHead, mlir::Value count);

private:
  HeadOutput(TileFunction &tile, moe::HeadLinearOp op, moe::QuantizeOp quantize,
             OperandReader weight);
  TileFunction &tile;
  mlir::ImplicitLocOpBuilder &b;
  moe::HeadLinearOp op;
  moe::QuantizeOp quantize;    // may be null
  int64_t lanes, latent, size; // `size`: results of a head
  mlir::Value context;         // f32 [1, latent]
  OperandReader weight;
  DotTile dot; // sums: [1, heads * size]
};

} // namespace moec::codegen
