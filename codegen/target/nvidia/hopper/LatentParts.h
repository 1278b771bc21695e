// What the roles of a kernel of attention over latents share, and what a block has of a tile.
#pragma once

#include "codegen/target/nvidia/hopper/LatentAttention.h"
#include "codegen/target/nvidia/hopper/LatentMemory.h"

namespace moec::hopper {

/// The query rows of a block: all heads of `count` tokens, or 64 of one.
struct BlockRows {
  Int token, count, head; // the first token, and its first head here
};

class LatentParts {
public:
  LatentParts(KernelFrame &frame, const LatentProblem &problem, const LatentTile &tile);

  using Piece = ContextPlan::Piece;
  /// As ContextPlan::forEachPiece, without tiles that this block has no rows of.
  Values forEachPiece(mlir::ValueRange carried,
                      llvm::function_ref<Values(const Piece &, mlir::ValueRange)> body) const;

  BlockRows getRows(const Int &token, const TokenTiles::Tile &tile) const;
  Int getFirstHead() const;
  /// Whether the block has rows of the tile.
  Bool hasRows(const TokenTiles::Tile &tile) const;
  /// Cached rows that every row of the block attends to.
  Int getShortest(const BlockRows &rows, const TokenTiles::Tile &tile) const;
  /// Cached rows that row `row` of the block attends to, where not all attend to as many.
  Int getLength(const BlockRows &rows, const Int &row) const;
  /// Warps of a warpgroup (16 rows each) that have rows.
  Int countWarps(const BlockRows &rows) const;
  /// The cached row with which block `block` begins, of the sequence whose entries in the block
  /// table begin at `entry`.
  Int getCacheRow(const Int &entry, const Int &block) const;
  /// Row 0 of the block's rows in the result, which has kLatent columns.
  Int getResultRow(const BlockRows &rows) const;

  KernelFrame &frame;
  Builder &b;
  const LatentProblem &problem;
  LatentSizes sizes;
  int64_t mostTokens; // of a tile
  LatentMemory memory;
  Value latentMap, ropeMap, cacheMap;
  Value keyMap; // of quantized rows: their rope keys, and cacheMap their codes
  Int worker, part;
  TokenTiles tiles;
  std::optional<ContextPlan> plan; // made once barriers are on their way
};

} // namespace moec::hopper
