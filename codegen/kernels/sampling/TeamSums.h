// Sums of integers over the threads of a team, and searches whose conditions
// are such sums. All threads have the results.
#pragma once

#include "codegen/kernels/TileFunction.h"

namespace moec::codegen {

/// The sum of each thread's i32, over threads that exchange registers (or one).
mlir::Value addInPart(mlir::ImplicitLocOpBuilder &b, const Team &part, mlir::Value value);

class TeamSums {
public:
  /// Allocates in the workspace; stands before loops.
  explicit TeamSums(TileFunction &tile);

  /// The sum of each thread's i64 >= 0. It and what leads to it stay below 2^50.
  mlir::Value add(mlir::Value value);

  /// The sum of `term`, i64 >= 0, over begin <= index < end, of which each thread takes its share.
  mlir::Value addTerms(mlir::Value begin, mlir::Value end,
                       llvm::function_ref<mlir::Value(mlir::Value index)> term);

  /// The largest i64 from `low` up to but not `high` for which `holds`, which it does for `low`
  /// (that is not asked) and no longer from some value on. `holds` is an i1 that all threads have.
  /// With a `grain` a value less than so much below it will do.
  mlir::Value findLast(mlir::Value low, mlir::Value high,
                       llvm::function_ref<mlir::Value(mlir::Value value)> holds, int64_t grain = 1);

  /// The same where terms are few: each subgroup asks for a value of its own, so that a step
  /// leaves 1 / (subgroups + 1) of the range. While `holds` is emitted sums are a subgroup's.
  mlir::Value findLastApart(mlir::Value low, mlir::Value high,
                            llvm::function_ref<mlir::Value(mlir::Value value)> holds);

  /// Who adds: all, or inside findLastApart a subgroup.
  const Team &getTeam() const { return team; }

private:
  mlir::Value addParts(int64_t row);
  /// In how many subgroups `holds`, i64.
  mlir::Value countParts(mlir::Value holds);
  mlir::Value
  search(mlir::Value low, mlir::Value high, int64_t grain,
         llvm::function_ref<std::pair<mlir::Value, mlir::Value>(mlir::Value low, mlir::Value high)>
             narrow);

  mlir::ImplicitLocOpBuilder &b;
  Team team;
  mlir::Value scratch; // memref<2 * parts x i32>; null for threads that exchange registers
};

} // namespace moec::codegen
