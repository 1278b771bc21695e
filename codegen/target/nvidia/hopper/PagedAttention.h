// moe.attention over a paged cache of bf16 keys and values on Hopper, for decoding and for prompts.
//
// A tile is up to 64 (or 128) query rows: the heads that share a key-value head, of a run of tokens
// of one sequence. One warp brings blocks of 64 cached rows, keys and values apart, into two rings;
// one (or two) warpgroups of 64 rows each compute
//
//   scores = queries * keys^T             queries stay in registers
//   weights, factors = softmax(scores)    (SoftmaxRows)
//   sums = sums * factors + weights * values
//
// with the next block's scores and this block's weighted sum in flight beside the softmax. Each
// cached row is read once a tile. Rows behind a context's end may hold anything, NaN included.
#pragma once

#include "codegen/target/nvidia/hopper/AttentionConsumer.h"

namespace moec::hopper {

struct AttentionTile {
  int64_t consumers = 1;    // warpgroups; 64 query rows each
  int64_t stages = 2;       // blocks of keys, and of values, in shared memory
  int64_t blocks = 256;     // of a launch at most
  int64_t split = 1;        // contexts are divided among blocks
  int64_t mostTokens = 256; // of a launch, where contexts are divided
  int64_t leastPart = 4;    // of a split context, in blocks of 64 rows
  int64_t pingPong = 0;     // warpgroups take turns in the use of the tensor cores

  int64_t getRows() const { return 64 * consumers; }
  int64_t getThreads() const { return 128 * (consumers + 1); }
  int64_t getTokens(const AttentionProblem &problem) const;
  int64_t getNumCounters() const { return split ? blocks : 0; }
  int64_t getScratchBytes(const AttentionProblem &problem) const;
};

/// What is worth trying, the best first: contexts are divided where tokens are few.
llvm::SmallVector<AttentionTile> getAttentionTiles(int64_t mostTokens, int64_t workers);

LaunchShape getLaunchShape(const AttentionTile &tile);
void emitPagedAttention(KernelFrame &frame, const AttentionProblem &problem,
                        const AttentionTile &tile);

} // namespace moec::hopper
