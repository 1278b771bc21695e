// A warpgroup that computes a compute-bound FP8 product (BlockScaledMatmul.h): it multiplies its
// rows of each tile, block of K by block of K, and hands the sums to the epilogue.
#pragma once

#include "codegen/target/nvidia/hopper/BlockScaledParts.h"

namespace moec::hopper {

/// By all threads of warpgroup `warpgroup` of those that compute.
void emitBlockScaledConsumer(const BlockScaledParts &parts, const Int &warpgroup);

} // namespace moec::hopper
