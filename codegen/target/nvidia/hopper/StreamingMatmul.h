// y = x * w^T of E4M3 with f32 scales for few tokens (16 at most): the bandwidth-bound form. Each
// weight is read once, by the thread that multiplies it, in the block that owns its rows; no block
// waits for another, but where a quantization block's columns are divided among a cluster. Of rows
// in groups, each is a product of its own with its group's matrix.
#pragma once

#include "codegen/target/nvidia/hopper/BlockScaledMatmul.h"
#include "codegen/target/nvidia/hopper/StreamingTile.h"

namespace moec::hopper {

LaunchShape getLaunchShape(const StreamingTile &tile);
/// Blocks, all of them at once, of each row that has a group, or of all: ceil(columns / rows).
int64_t getNumBlocks(const StreamingTile &tile, const BlockScaledProblem &problem);

void emitStreamingMatmul(KernelFrame &frame, const BlockScaledProblem &problem,
                         const StreamingTile &tile, const EpilogueSpec &epilogue);

} // namespace moec::hopper
