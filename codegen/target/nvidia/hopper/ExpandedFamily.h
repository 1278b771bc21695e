// Latent attention over expanded keys and values on Hopper as a family of whole kernels.
#pragma once

#include "codegen/target/gpu/WholeKernel.h"

namespace moec::codegen {

const WholeKernelEmitter &getHopperExpandedEmitter();

} // namespace moec::codegen
