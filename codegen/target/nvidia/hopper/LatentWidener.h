// The warpgroup that makes codes of quantized rows bf16 (LatentAttention.h): 512 E4M3 codes, 4 f32
// scales, 64 bf16 of the rope key, 656 bytes in all.
#pragma once

#include "codegen/target/nvidia/hopper/LatentParts.h"

namespace moec::hopper {

/// By 128 threads: each group's codes, which the producer has brought to its second box, become the
/// bf16 code * scale of both boxes, as the copy engine would have left them. Rows behind the
/// longest context's end become zeros.
void emitLatentWidener(const LatentParts &parts);

} // namespace moec::hopper
