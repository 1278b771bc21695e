// Which families compute kernels by teams of several threads, on any GPU.
#pragma once

#include "codegen/kernels/Emitter.h"

namespace moec::codegen {

/// The family that computes kernels with this hero by teams, or null.
const KernelEmitter *findTeamEmitter(kern::Hero hero);

const KernelEmitter &getTeamMatmulEmitter();
const KernelEmitter &getTeamAttentionEmitter();

} // namespace moec::codegen
