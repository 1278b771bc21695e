// Tokens of a step as tiles, found while a kernel runs: a tile is a run of neighbours that belong
// to one sequence and lie in the same window of `most` tokens. They read the same cached rows.
//
//   sequences   0 0 0 1 | 2 2 3 3 | 3      most = 4
//   tiles       [   ][] | [ ] [ ] | []
//
// Whether a tile begins at a token is told by its neighbour alone, so each lane of a warp can look
// at a token of its own.
#pragma once

#include "codegen/target/nvidia/hopper/Instructions.h"

#include "mlir/IR/BuiltinTypes.h"

namespace moec::hopper {

class TokenTiles {
public:
  /// `positions` and `sequences`: i32 of each of `tokens` tokens; `most`: a power of 2, at most 32.
  TokenTiles(Global positions, Global sequences, const Int &tokens, int64_t most)
      : b(positions.b), positions(positions), sequences(sequences), tokens(tokens), most(most) {}

  struct Tile {
    Int count;             // tokens
    Int longest, shortest; // contexts: cached rows that a token attends to
  };

  const Int &getNumTokens() const { return tokens; }
  int64_t getMost() const { return most; }
  Bool isFirst(const Int &token) const;
  /// The tile that begins at `token`.
  Tile get(const Int &token) const;
  /// The cached rows that `token` attends to.
  Int getLength(const Int &token) const;
  Int getSequence(const Int &token) const;
  /// Asks for the line that tells a token's sequence.
  void prefetchSequence(const Int &token) const { prefetchLine(sequences.at(token, 4)); }

private:
  Int loadInt(const Global &from) const { return Int(*b, load(from, b->getI32Type(), 4)); }

  Builder *b;
  Global positions, sequences;
  Int tokens;
  int64_t most;
};

} // namespace moec::hopper
