// The thread that brings the operands of attention over latents (LatentAttention.h).
#pragma once

#include "codegen/target/nvidia/hopper/LatentParts.h"

namespace moec::hopper {

/// By one thread: for each of the block's pieces its queries, then its blocks of cached rows into
/// the two buffers by turns, each group of boxes as soon as it is free.
void emitLatentProducer(const LatentParts &parts);

} // namespace moec::hopper
