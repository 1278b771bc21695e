// FP8 matrix products of Hopper as a family of whole kernels that a target asks.
#pragma once

#include "codegen/target/gpu/WholeKernel.h"

namespace moec::codegen {

const WholeKernelEmitter &getHopperMatmulEmitter();

/// The largest row counts of kernels that are laid out differently: streaming for one and for 16
/// tokens, then small tiles.
llvm::ArrayRef<int64_t> getHopperRowClasses();

} // namespace moec::codegen
