// A stable counting sort of (token, choice) pairs by expert, by many tiles of teams. Each tile has
// a share of the tokens and needs of the others only counts. These it makes itself, of all pairs,
// in its own memory: reading the ids again costs less than to wait for other tiles.
//
//   1. pairs of each expert, before the share and elsewhere; and in each subgroup's run of the
//   share
//   2. where each expert's slots begin; where each subgroup's do
//   3. the share's pairs in order, a pair a thread: a pair's slot is the next one of its expert
#pragma once

#include "codegen/kernels/TileFunction.h"

namespace moec::codegen {

class TeamSort {
public:
  /// Of `permute`, whose ids are an argument of the kernel. Allocates workspace: stands before
  /// loops.
  TeamSort(TileFunction &tile, moe::PermuteOp permute);

  /// The tile's share, the tokens from `begin` to `end`.
  void emit(mlir::Value begin, mlir::Value end);

  /// Bytes of workspace for `threads` threads.
  static int64_t countBytes(int64_t experts, int64_t threads, const Machine &machine);

private:
  /// The share as any other, however many pairs.
  void sortShare();
  mlir::Value number(int64_t value);
  /// Adds one to element `at` of memory of the tile.
  void count(mlir::Value memory, mlir::ValueRange at);
  void clear();
  /// Counts the pairs of the tokens from `begin` to `end` in `counts`.
  void countTokens(mlir::Value begin, mlir::Value end, mlir::Value counts);
  /// Calls `body(pair, expert, isPair)` for the subgroup's run, in order, a pair of the share a
  /// thread: its number in the share, its expert (i32, -1 for none), and whether it is one.
  void forRun(llvm::function_ref<void(mlir::Value, mlir::Value, mlir::Value)> body);
  /// The token and the choice of a pair of the share.
  llvm::SmallVector<mlir::Value> locate(mlir::Value pair);
  void countRuns();
  void findStarts();
  void findCursors();
  void place();
  /// Of the subgroup's threads with the same `expert`, those before this one, and all; i32.
  std::pair<mlir::Value, mlir::Value> rank(mlir::Value expert);

  mlir::ImplicitLocOpBuilder &b;
  TileFunction &tile;
  const Team &team;
  Buffer ids, rows, slots, offsets; // results that the kernel does not yield are null
  int64_t topK, experts, subgroups;
  mlir::Value before,
      rest;            // [experts] i32: pairs of the tokens before the share, and of the others
  mlir::Value starts;  // [experts] i32: first slots
  mlir::Value cursors; // [subgroups, experts] i32: pairs of a run, then its next slots
  mlir::Value lane, subgroup;       // of the thread; index
  mlir::Value firstToken, numPairs; // of the share
};

} // namespace moec::codegen
