// Who computes a tile. On the host that is one thread with vectors of `lanes` f32; on a GPU the
// threads of a block, each of them with short vectors of `lanes`. Row-wise, routing and permutation
// emitters are written once for both:
//
//   forColumns, reduceColumns   the columns of a row, spread over the team
//   forItems                    things that are computed apart (scale blocks, heads, experts): a
//                               part of the team each
//   forScalars                  single elements, spread over the team
//   runOnce                     what one thread does for all
//   barrier                     between those who write memory and others of the team who read it
//
// All threads of a team run the same control flow around these, and bodies whose threads run apart
// (forScalars, runOnce, forColumns) hold none of them. With one thread each is the plain loop, or
// nothing: there is no cost and no difference in the code.
#pragma once

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace moec::codegen {

struct Team {
  /// One thread.
  Team(int64_t lanes) : lanes(lanes) {}

  int64_t lanes;        // f32 that a thread takes at once
  int64_t threads = 1;  // a power of two, or whole subgroups
  int64_t subgroup = 1; // threads that can exchange registers; a power of two
  mlir::Value thread;   // index, 0 ... threads - 1; null: there is one
  mlir::Value scratch;  // memref<threads / subgroup x f32> and of i32, when there is more than
  mlir::Value indices;  // one subgroup

  bool isOne() const { return threads == 1; }
  /// Threads of each part that forItems makes.
  int64_t partThreads() const { return std::min(threads, subgroup); }
};

/// The team of all `threads` threads of a GPU's block.
Team makeBlockTeam(mlir::ImplicitLocOpBuilder &b, int64_t lanes, int64_t threads, int64_t subgroup);

/// Waits for the whole team; what its threads have written is seen by all of them.
void barrier(mlir::ImplicitLocOpBuilder &b, const Team &team);

/// `body` by one thread.
void runOnce(mlir::ImplicitLocOpBuilder &b, const Team &team, llvm::function_ref<void()> body);

/// `body(index, part)` for begin <= index < end, in order on one thread, else dealt out to the
/// parts of the team.
void forItems(mlir::ImplicitLocOpBuilder &b, const Team &team, mlir::Value begin, mlir::Value end,
              llvm::function_ref<void(mlir::Value index, const Team &part)> body);

/// `body(index)` for begin <= index < end, in order on one thread, else dealt out to the threads.
void forScalars(mlir::ImplicitLocOpBuilder &b, const Team &team, mlir::Value begin, mlir::Value end,
                llvm::function_ref<void(mlir::Value index)> body);

/// Reduces each thread's f32 to one that all threads have. Memory that is read and written around
/// it needs barriers of its own.
enum class Reduction { Add, Maximum };
mlir::Value reduceTeam(mlir::ImplicitLocOpBuilder &b, const Team &team, mlir::Value value,
                       Reduction kind);

/// Of each thread's (f32 value, i32 index) the one with the largest value, of equals the one with
/// the lowest index; all threads have it. Index -1: nothing. A NaN may win, but never over nothing.
std::pair<mlir::Value, mlir::Value> findLargest(mlir::ImplicitLocOpBuilder &b, const Team &team,
                                                mlir::Value value, mlir::Value index);

/// Called for a barrier of threads that are a part of their block; the target defines it.
inline constexpr llvm::StringLiteral kSubgroupBarrier = "moec.subgroup_barrier";

} // namespace moec::codegen
