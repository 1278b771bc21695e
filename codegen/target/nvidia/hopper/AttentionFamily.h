// Attention over cached keys and values on Hopper as a family of whole kernels.
#pragma once

#include "codegen/target/gpu/WholeKernel.h"

namespace moec::codegen {

const WholeKernelEmitter &getHopperAttentionEmitter();

} // namespace moec::codegen
