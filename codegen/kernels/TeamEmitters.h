// Which families compute kernels by teams of several threads, on any GPU.
#pragma once

#include "codegen/kernels/Emitter.h"

namespace moec::codegen {

/// The family that computes kernels with this hero by teams, or null.
const KernelEmitter *findTeamEmitter(kern::Hero hero);

/// Largest row counts of the classes of matrix kernels that teams on `machine` compute differently
/// (passes/RowClasses.h); empty: they have one way for all.
llvm::ArrayRef<int64_t> getTeamRowClasses(const Machine &machine);

const KernelEmitter &getTeamMatmulEmitter();
const KernelEmitter &getTeamAttentionEmitter();

} // namespace moec::codegen
