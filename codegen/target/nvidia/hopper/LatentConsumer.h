// One of the two warpgroups that compute attention over latents (LatentAttention.h).
//
//   warpgroup   scores and weights of     columns of the result
//   0           even blocks               0 .. 255
//   1           odd blocks                256 .. 511
//
// Each adds every block to its columns. Weights of the other's blocks come through shared memory as
// the registers that they are: thread t takes what thread t has put. The place is free again
// without a barrier, because a thread's own take stands before its next put.
#pragma once

#include "codegen/target/nvidia/hopper/LatentPieces.h"
#include "codegen/target/nvidia/hopper/LazySoftmax.h"
#include "codegen/target/nvidia/hopper/WgmmaTile.h"
#include "codegen/target/nvidia/hopper/WgmmaValues.h"

namespace moec::hopper {

class LatentConsumer {
public:
  LatentConsumer(const LatentParts &parts, int64_t warpgroup);

  /// All of the block's pieces.
  void emit();

private:
  using Piece = LatentPieces::Piece;
  using Rows = LazySoftmax::Rows;
  static constexpr int64_t kQueries = 2; // bit of State::turns

  /// What is carried from block to block.
  struct State {
    Int turns; // bits: parities of how often buffers 0 and 1 and the queries have been used
    Rows rows;
    Values sums; // 128 f32

    Values getValues() const;
    static State get(Builder &b, mlir::ValueRange values);
    Int getTurn(int64_t bit) const { return turns >> bit; }
    void flip(int64_t buffer) { turns = turns ^ (1 << buffer); }
  };
  /// What is asked of each block.
  struct Context {
    const Piece &piece;
    Int shortest; // as Piece::getShortest
    Int lastPart; // the block of which only a part exists
  };

  State computeEven(const Context &context, State state);
  State computeOdd(const Context &context, State state);

  /// Starts the scores of a buffer's block; `afterFirst` is called behind the first products. With
  /// `queriesTurn` it waits for the queries, too.
  Value startScores(int64_t buffer, const Int &turn,
                    llvm::function_ref<void()> afterFirst = nullptr,
                    const Int *queriesTurn = nullptr);
  Values waitScores(Value scores, int64_t buffer);
  /// Scores of columns that a row does not attend to become -inf.
  Values hideScores(const Context &context, mlir::ValueRange scores, const Int &block);

  struct Weights {
    Values packed;  // 16 i32
    Values factors; // of what has been summed before
  };
  /// Weights of the block in `buffer` have been put, or the last ones taken.
  void meetForWeights(int64_t buffer);
  /// Makes weights of the scores, for this warpgroup and the other.
  Weights makeWeights(const Context &context, mlir::ValueRange scores, int64_t buffer,
                      const Int &block, Rows &rows);
  /// The other warpgroup's weights of the block in `buffer`; waits for the block itself, too.
  Weights takeWeights(int64_t buffer, const Int &turn, Rows &rows);

  /// Starts adding a block.
  Values startSums(const Context &context, int64_t buffer, const Int &block, const Weights &weights,
                   mlir::ValueRange sums);
  /// Waits for what startSums has started, but not for `later` groups of products begun since.
  Values finishSums(mlir::ValueRange sums, int64_t buffer, unsigned later = 0);
  /// Rows behind the context's end hold anything, and 0 times that need not be 0.
  void clearBehind(const Context &context, int64_t buffer, const Int &block);

  void release(int64_t buffer, BoxGroup group);
  void wait(int64_t offset, const Int &turn) { waitBarrier(memory.barriers, offset, turn & 1); }

  const LatentParts &parts;
  Builder &b;
  const LatentMemory &memory;
  LatentPieces pieces;
  int64_t warpgroup;
  std::array<BoxGroup, 2> groups; // of its columns
  WgmmaTile scores;
  WgmmaValues values;
  LazySoftmax softmax;
  Int thread, lane, row; // of the warpgroup; its first row
  Shared exchange;
  Value queries, keys[2], latents[2]; // descriptors
};

} // namespace moec::hopper
