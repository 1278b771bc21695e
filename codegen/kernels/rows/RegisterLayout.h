// How rows lie in the registers of a team, for row programs whose values stay there from op to op.
//
// Step i of thread t are the `lanes` columns from (i * threads + t) * lanes on: neighbours side by
// side, each with one access. Ops on the same columns need nothing of other threads; blocks of
// columns and heads are parts of subgroups.
#pragma once

#include "codegen/kernels/Machine.h"
#include "dialects/kern/KernDialect.h"

namespace moec::codegen {

struct RegisterLayout {
  int64_t lanes = 0;
  int64_t threads = 0;
  int64_t parts = 1; // tiles of a row: where no op needs more than blocks of columns

  int64_t stepColumns() const { return lanes * threads; }
};

/// The layouts for a row-wise kernel, the preferred one first; none when its rows cannot stay in
/// registers: then RowProgram has them in memory. That is for widths without a vector, and values
/// that are read at other columns than where they were computed.
llvm::SmallVector<RegisterLayout> getRegisterLayouts(kern::KernelOp kernel, const Machine &machine);

} // namespace moec::codegen
