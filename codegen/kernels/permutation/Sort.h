// A stable counting sort of (token, choice) pairs by expert, by one thread: count the pairs, learn
// where each expert's slots begin, deal the pairs out. Teams have TeamSort.
#pragma once

#include "codegen/kernels/TileFunction.h"

namespace moec::codegen {

class Sort {
public:
  /// Of `permute`, whose ids are an argument or a result of the kernel. Allocates workspace: stands
  /// before loops.
  Sort(TileFunction &tile, moe::PermuteOp permute);

  void emit();

private:
  /// Calls `body(token, choice, expert)` for every pair in order.
  void forPairs(llvm::function_ref<void(mlir::Value, mlir::Value, mlir::Value)> body);
  /// Adds one to an expert's cursor; returns it as it was.
  mlir::Value advance(mlir::Value expert);
  /// Where the slots of each expert begin; leaves the cursors there.
  void storeOffsets();
  mlir::Value number(int64_t value);

  TileFunction *tile;
  Buffer ids, rows, slots, offsets; // results that the kernel does not yield are null
  int64_t topK, experts;
  mlir::Value cursors; // [experts] i32: pairs of each expert, then its next free slot
};

} // namespace moec::codegen
