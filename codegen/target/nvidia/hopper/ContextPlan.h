// Attention of few tokens over long contexts, shared out among workers. What a tile of tokens
// (TokenTiles) attends to is cut into blocks of 64 cached rows; all tiles' blocks in a row are the
// work, and each worker takes an equal range of it. Every worker makes the same plan from the
// tokens' positions while the kernel runs: no host, no launch before it, and a recorded launch
// serves all lengths.
//
//   aligned   if it can be done, ranges never cross tiles: a tile is padded to whole ranges of
//             `per` blocks, the least `per` with which the ranges are no more than the workers
//   flat      otherwise ranges of blocks and of kTileCost for each tile, wherever they begin and
//   end
//
// A worker has at most one tile that another has begun and one that another goes on with.
#pragma once

#include "codegen/target/nvidia/hopper/TokenTiles.h"

namespace moec::hopper {

class ContextPlan {
public:
  static constexpr int64_t kBlockRows = 64;

  struct Limits {
    int64_t workers;
    int64_t leastBlocks = 1; // of a range
    int64_t mostPieces = 0;  // of a tile, 0: any number
  };

  /// By all lanes of a warp; all warps get the same.
  ContextPlan(const TokenTiles &tiles, const Int &worker, const Limits &limits);

  /// A worker's part of a tile: its blocks [begin, end) of `blocks`.
  struct Piece {
    Int token, start; // the tile's first token, and where in the row its blocks begin
    TokenTiles::Tile tile;
    Int blocks, begin, end;
  };

  /// Calls `body` for the worker's pieces in order; it returns the next `carried`. Returns the
  /// last.
  Values forEachPiece(mlir::ValueRange carried,
                      llvm::function_ref<Values(const Piece &, mlir::ValueRange)> body) const;

  /// Whether a piece is of the tile with which the worker's range begins.
  Bool isFirst(const Piece &piece) const { return piece.token == firstToken; }
  /// Of that tile's sequence, the cached rows that were there before the step: those below the
  /// positions of all of its tokens. By all lanes of a warp.
  Int countOldRows() const;

  /// The workers that have blocks of a tile.
  struct Sharing {
    Int first, last;
  };
  Sharing getSharing(const Int &start, const Int &blocks) const;

private:
  void sumUp(const Limits &limits);
  void findFirst();
  /// Blocks of the tile that begins at `token`; 0 when none does, or it is no token.
  Int countBlocksAt(const Int &token) const;
  Int countPieces(const Int &per) const;
  Int sumOverTokens(llvm::function_ref<Int(Int token)> value) const;
  /// How much of the row a tile takes.
  Int getCost(const Int &blocks) const;

  static constexpr int64_t kTileCost = 2; // blocks; what a change of tiles takes

  Builder *b;
  TokenTiles tiles;
  Int lane;
  Int per, low, high, total;
  Bool isAligned;
  Int firstToken, firstStart; // of the first tile, and where its blocks begin
};

} // namespace moec::hopper
