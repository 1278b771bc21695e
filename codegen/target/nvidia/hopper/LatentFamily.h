// Attention over cached latents (LatentAttention.h) as a family of the target.
#pragma once

#include "codegen/target/gpu/WholeKernel.h"

namespace moec::codegen {

const WholeKernelEmitter &getHopperLatentEmitter();

} // namespace moec::codegen
