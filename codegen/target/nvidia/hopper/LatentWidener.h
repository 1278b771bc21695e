// The warpgroup that brings the operands of attention over latents when cached rows are quantized
// (LatentAttention.h): 512 E4M3 codes, 4 f32 scales, 64 bf16 of the rope key, 656 bytes in all.
#pragma once

#include "codegen/target/nvidia/hopper/LatentParts.h"

namespace moec::hopper {

/// By 128 threads: as emitLatentProducer, but rows pass through registers, where each code becomes
/// the bf16 nearest to code * scale, and are stored as the copy engine would have left them. Each
/// warp has 16 rows of every block and arrives for them.
void emitLatentWidener(const LatentParts &parts);

} // namespace moec::hopper
