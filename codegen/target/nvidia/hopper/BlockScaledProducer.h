// The warpgroup that brings the operands of a compute-bound FP8 product (BlockScaledMatmul.h).
#pragma once

#include "codegen/target/nvidia/hopper/BlockScaledParts.h"

namespace moec::hopper {

/// By all threads of the warpgroup. Where the copy engine brings x, one thread walks along the ring
/// of operands and one warp along that of scales; scattered rows are brought by all threads, which
/// bring scales on the way.
void emitBlockScaledProducer(const BlockScaledParts &parts);

} // namespace moec::hopper
