// What the threads of a subgroup tell each other without memory, and sums of a team in memory that
// nothing else uses. Values are f32 or i32. All threads of the subgroup take part.
#pragma once

#include "codegen/kernels/Team.h"

namespace moec::codegen {

/// What thread `from` (i32) of the subgroup has as `value`.
mlir::Value readThread(mlir::ImplicitLocOpBuilder &b, const Team &team, mlir::Value value,
                       mlir::Value from);

/// What the thread has as `value` whose number in the subgroup differs in the bits of `bits`.
mlir::Value readPartner(mlir::ImplicitLocOpBuilder &b, const Team &team, mlir::Value value,
                        int64_t bits);

/// Reduces the f32 of each `threads` neighbours, a power of two of a subgroup's, to one that these
/// have.
mlir::Value reduceNeighbours(mlir::ImplicitLocOpBuilder &b, const Team &team, int64_t threads,
                             mlir::Value value, Reduction kind);

/// As reduceTeam, through `unused`: memory like the team's scratch that nothing has used since the
/// tile began, which saves a barrier. Null: the team is one subgroup.
mlir::Value reduceOnce(mlir::ImplicitLocOpBuilder &b, const Team &team, mlir::Value value,
                       Reduction kind, mlir::Value unused);

/// The largest or smallest of the i32 of a subgroup, unsigned.
mlir::Value maximumOfPart(mlir::ImplicitLocOpBuilder &b, mlir::Value value);
mlir::Value minimumOfPart(mlir::ImplicitLocOpBuilder &b, mlir::Value value);

} // namespace moec::codegen
