// Attention over cached latents: heads of a token read the same cached rows, each of 512 latent
// columns (key and value at once) and 64 of a rotated key, in pages.
//
//   result[t, h] = sum over p of softmax(scale * (latent query . latent p + query . key p)) latent
//   p
//
// A block has 64 query rows: 64 heads of a token, or several tokens of one sequence (TokenTiles).
// Two warpgroups have columns 0..255 and 256..511 of the result; the first computes the scores of
// even blocks of cached rows, the second those of odd ones, so that the softmax of one runs beside
// the products of the other. The last one brings the operands; of quantized rows one before it
// makes bf16 (LatentWidener). Ranges of the context are shared out by ContextPlan, and what belongs
// together is added by SplitSums in the same launch.
#pragma once

#include "codegen/target/nvidia/hopper/ContextPlan.h"
#include "codegen/target/nvidia/hopper/KernelFrame.h"

#include <optional>
#include <string>

namespace moec::hopper {

struct LatentProblem {
  static constexpr int64_t kLatent = 512, kRope = 64, kWidth = kLatent + kRope;
  /// Of a quantized row: codes, an f32 scale for each 128 of them, the rope key in bf16.
  static constexpr int64_t kScales = kLatent, kTail = kScales + kLatent / 128 * 4,
                           kQuantizedBytes = kTail + 2 * kRope;

  int64_t heads = 128;
  int64_t queryColumns = 192; // of a head; the last 64 are read
  double scale = 1;
  int64_t page = 64;           // cached rows
  bool quantizedCache = false; // otherwise bf16
  // Bytes from a token's row to the next; the result's rows are contiguous.
  int64_t latentStride = 0, queryStride = 0;
  bool floatResult = false; // otherwise bf16

  /// Arguments of the kernel.
  struct Slots {
    unsigned latentQuery = 0, query = 1, cache = 2, positions = 3, sequences = 4, blockTable = 5,
             result = 6, counters = 7, scratch = 8;
  } slots;

  /// Why there is no such kernel.
  std::optional<std::string> refuse() const;
};

struct LatentTile {
  int64_t tokens = 1; // of a sequence, at most, that share cached rows; a power of 2
  int64_t workers = 132;

  bool operator==(const LatentTile &) const = default;
};

/// Sizes that follow from both.
struct LatentSizes {
  LatentSizes(const LatentProblem &problem, const LatentTile &tile);

  int64_t parts;       // blocks that share a tile, 64 query rows each
  int64_t blockTokens; // tokens of a block, at most
  int64_t blockHeads;  // heads of a token that a block has
  int64_t rows;        // query rows of a block, at most
  int64_t workers;     // groups of `parts` blocks
  ContextPlan::Limits limits;
  int64_t scratchBytes;

  int64_t getScratchBytes() const { return scratchBytes; }
  int64_t getCounters() const { return workers * parts; }
};

/// The tiles that there can be, the best for `tokens` tokens of a sequence first.
std::vector<LatentTile> getLatentTiles(const LatentProblem &problem, int64_t tokens,
                                       int64_t workers);

LaunchShape getLaunchShape(const LatentProblem &problem, const LatentTile &tile);

/// Writes the kernel into `frame`, which has getLaunchShape's shape.
void emitLatentAttention(KernelFrame &frame, const LatentProblem &problem, const LatentTile &tile);

} // namespace moec::hopper
