// The thread that brings the operands of attention over latents (LatentAttention.h).
#pragma once

#include "codegen/target/nvidia/hopper/LatentParts.h"

namespace moec::hopper {

/// By one thread: for each of the block's pieces its queries, and its blocks of cached rows into
/// the two buffers by turns, each group of boxes as soon as it is free. `oldRows` as of
/// ContextPlan::countOldRows.
void emitLatentProducer(const LatentParts &parts, const Int &oldRows);

} // namespace moec::hopper
