// What the blocks of an attention kernel do, and in which order. A *tile* is a run of tokens of one
// sequence with the query heads of one key-value head; its context is walked in blocks of 64 cached
// rows. All warps of a block come to the same items by the same arithmetic, none tells another.
//
// TileWork: tiles of at most `tokens` tokens between multiples of it, whole contexts, the longest
// ones first, in alternating order, so that each block gets an even share of a causal triangle.
// SplitWork: where blocks are at least twice as many as tiles, each tile gets as many as the
// others, and uses as many as add up soonest. Otherwise the tiles' contexts in a row are cut into
// as many even parts as there are blocks: a part begins and ends inside of a context. Partial sums
// meet in device memory (PartialSums).
#pragma once

#include "codegen/target/nvidia/hopper/KernelFrame.h"

#include <memory>

namespace moec::hopper {

/// Where tokens and their contexts are described, and how tiles are made of them.
struct AttentionTokens {
  Global positions, sequences; // [tokens] i32
  Int count;                   // tokens
  int64_t heads;               // key-value heads
  int64_t tileTokens;          // at most, in a tile
};

struct AttentionItem {
  Int firstToken, tokens;
  Int sequence, head;
  Int length;                // of the longest context, in rows
  Int visible;               // rows that all tokens see
  Int begin, end;            // blocks of 64 rows, not empty
  Int firstBlock, lastBlock; // of the launch, that have parts of it; split contexts only
};

/// From `firstToken` and `tokens`: how long the contexts are, and all blocks of the longest. By
/// whole warps.
void setContext(AttentionItem &item, const AttentionTokens &tokens);

class AttentionWork {
public:
  virtual ~AttentionWork() = default;

  /// carried = body(item, carried), item by item; returns the last `carried`. By whole warps.
  Values forEach(mlir::ValueRange init,
                 llvm::function_ref<Values(const AttentionItem &, mlir::ValueRange)> body) const;

protected:
  virtual Values getStart() const = 0;
  virtual Bool hasItem(mlir::ValueRange state) const = 0;
  virtual AttentionItem getItem(mlir::ValueRange state) const = 0;
  virtual Values getNext(mlir::ValueRange state, const AttentionItem &item) const = 0;
};

/// By all threads, before roles divide.
std::unique_ptr<AttentionWork> makeTileWork(const AttentionTokens &tokens);

struct SplitShape {
  int64_t mostTokens;  // that a launch can have
  int64_t overhead;    // what a tile costs besides its blocks, in blocks
  int64_t leastBlocks; // of a part
};
/// The same; has a barrier of the block inside. `tileTokens` is a power of two, 32 at most.
std::unique_ptr<AttentionWork> makeSplitWork(KernelFrame &frame, const AttentionTokens &tokens,
                                             const SplitShape &shape);

} // namespace moec::hopper
