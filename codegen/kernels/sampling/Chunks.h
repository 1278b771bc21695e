// moe.chunk_maxima and moe.chunk_masses: a tile is some chunks of a row, a
// chunk is a part's of the team.
#pragma once

#include "codegen/kernels/TileFunction.h"
#include "dialects/moe/MoeSamplingOps.h"

namespace moec::codegen {

/// Tiles of a row of `columns` logits, each of `perTile` chunks.
int64_t countChunkTiles(int64_t columns, int64_t chunk, int64_t perTile);

void emitChunkMaxima(TileFunction &tile, moe::ChunkMaximaOp op, int64_t perTile);
void emitChunkMasses(TileFunction &tile, moe::ChunkMassesOp op, int64_t perTile);

} // namespace moec::codegen
