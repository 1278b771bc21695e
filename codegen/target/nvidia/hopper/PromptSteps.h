// How the blocks of a launch go through a batch together when each head's keys and values must be
// made before they can be attended to: step by step, a *run* of tokens of one sequence and some
// heads at a time. All warps of all blocks come to the same steps by the same arithmetic.
//
// A step has as many heads as leave `rounds` tiles of tokens to each block, if that many heads'
// rows fit in `rows`; all steps of a run have about as many.
#pragma once

#include "codegen/target/nvidia/hopper/AttentionWork.h"

namespace moec::hopper {

struct PromptStep {
  Int firstToken, tokens; // of the run
  Int sequence, length;   // cached rows that some token of the run sees
  Int paddedLength;       // to whole blocks of kBlockRows
  Int firstHead, heads;
  Int number; // of the step in the launch

  static constexpr int64_t kBlockRows = 128;
  Int getTiles(int64_t tileTokens) const { return ceilDiv(tokens, tileTokens); }
};

class PromptSteps {
public:
  /// `rows`: of all heads of a step, a multiple of kBlockRows and enough for one head.
  PromptSteps(const AttentionTokens &tokens, int64_t rows, int64_t rounds)
      : tokens(tokens), rows(rows), rounds(rounds), b(*tokens.count.b) {}

  /// carried = body(step, carried), step by step; returns the last `carried`. By whole warps.
  Values forEach(mlir::ValueRange init,
                 llvm::function_ref<Values(const PromptStep &, mlir::ValueRange)> body) const;

  /// The same over the tiles of a step that are this block's: the longest contexts first, in
  /// alternating order, so that each block gets an even share of a causal triangle.
  Values
  forEachTile(const PromptStep &step, mlir::ValueRange init,
              llvm::function_ref<Values(const AttentionItem &, mlir::ValueRange)> body) const;

private:
  PromptStep findRun(const Int &first) const;
  Int countHeads(const PromptStep &run) const;

  AttentionTokens tokens; // heads: all
  int64_t rows, rounds;
  Builder &b;
};

} // namespace moec::hopper
