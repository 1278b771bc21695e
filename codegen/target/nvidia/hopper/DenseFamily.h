// BF16 matrix products of Hopper as a family of whole kernels that a target asks.
#pragma once

#include "codegen/target/gpu/WholeKernel.h"

namespace moec::codegen {

const WholeKernelEmitter &getHopperDenseEmitter();

} // namespace moec::codegen
