// A stable counting sort of (token, choice) pairs by expert, by one tile. Each thread of its team
// has a run of tokens and counters of its own for every expert: it counts its pairs, learns from
// the sums of the threads before it where its first slot of each expert is, and deals its pairs
// out.
#pragma once

#include "codegen/kernels/TileFunction.h"

namespace moec::codegen {

class Sort {
public:
  /// Of `permute`, whose ids are an argument or a result of the kernel. Allocates workspace: stands
  /// before loops.
  Sort(TileFunction &tile, moe::PermuteOp permute);

  void emit();

  /// Threads whose counters for `experts` experts fit into a tile's workspace.
  static int64_t chooseThreads(int64_t experts, const Machine &machine);

private:
  /// Calls `body(token, choice, expert)` for every pair of the thread in order.
  void forPairs(llvm::function_ref<void(mlir::Value, mlir::Value, mlir::Value)> body);
  /// The thread's cursor of an expert.
  llvm::SmallVector<mlir::Value, 2> at(mlir::Value expert);
  /// For each expert and each thread, the pairs of the threads before it; returns the expert's sum.
  mlir::Value addThreads(mlir::Value expert);
  /// Adds one to an expert's cursor; returns it as it was.
  mlir::Value advance(mlir::Value expert);
  /// Where the slots of each expert begin; leaves the cursors there.
  void storeOffsets();
  mlir::Value number(int64_t value);

  TileFunction *tile;
  Buffer ids, rows, slots, offsets; // results that the kernel does not yield are null
  int64_t topK, experts;
  Team team;
  mlir::Value cursors; // [threads,] [experts] i32: pairs of each expert, then its next free slot
  mlir::Value starts;  // [experts] i32 of several threads: first the pairs, then the first slots
};

} // namespace moec::codegen
