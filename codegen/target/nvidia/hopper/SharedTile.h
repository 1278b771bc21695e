// A tile whose context several workers have shared: once all of them have left their parts
// (SplitSums), each adds up a share of the columns, fetched into its idle shared memory.
//
//   result = sum over parts of 2^(reference - largest reference) * sums
//          / sum over parts of 2^(reference - largest reference) * sum of weights
//
// Workers wait for each other: all blocks of the launch must run at once.
#pragma once

#include "codegen/target/nvidia/hopper/LatentPieces.h"
#include "codegen/target/nvidia/hopper/SplitSlots.h"

namespace moec::hopper {

/// By both warpgroups, once all of the block's pieces are put: adds up the tiles that the block has
/// a part of.
void addUpSharedTiles(const LatentParts &parts);

} // namespace moec::hopper
