// moe.mla_attention of many tokens on Hopper: cached latents are expanded into keys and values, a
// few heads at a time, and attended to in the same launch.
//
//   keys[p, h]   = [up_weight[h, 0..127] * latent p | rotated key p]     192 columns
//   values[p, h] = up_weight[h, 128..255] * latent p                     128 columns
//
// Blocks go together through steps (PromptSteps): all expand the step's heads into the launch's
// scratch, as bf16 (LatentExpansion), meet (GridBarrier), and attend (AttentionConsumer), tile by
// tile of 128 tokens and a head. The scratch has two halves, which steps use in turn: so nobody
// waits for the end of a step's attention. Rotated keys stay in the cache, where all heads read
// them. All blocks must run at once.
#pragma once

#include "codegen/target/nvidia/hopper/KernelFrame.h"

#include <optional>
#include <string>

namespace moec::hopper {

struct ExpandedProblem {
  static constexpr int64_t kLatent = 512, kRope = 64, kWidth = kLatent + kRope;
  static constexpr int64_t kPart = 128; // columns that latents expand to: of a key, of a value
  static constexpr int64_t kKeyColumns = kPart + kRope;

  // Slots. q [tokens, heads * 192] and result [tokens, heads * 128] in bf16; weight [heads * 256,
  // 512] in bf16, or E4M3 codes with f32 scales [heads * 2, 4].
  unsigned q = 0, weight = 1;
  std::optional<unsigned> scales;
  unsigned cache = 2, positions = 3, sequences = 4, blockTable = 5, result = 6, counters = 7,
           scratch = 8;
  int64_t heads = 128;
  int64_t page = 64;                     // cached rows
  int64_t qStride = 0, resultStride = 0; // elements
  double scale = 1;

  /// Why there is no such kernel.
  std::optional<std::string> refuse() const;
};

struct ExpandedTile {
  int64_t rows = 4096;      // of a step: cached rows times heads, a multiple of 128
  int64_t rounds = 4;       // tiles of tokens that a block should have in a step
  int64_t stages = 4;       // blocks of keys and values in shared memory
  int64_t weightStages = 5; // boxes of the up-projection
  int64_t blocks = 132;

  static constexpr int64_t kTileTokens = 128;

  /// Bytes of the expanded rows, both halves.
  int64_t getExpandedBytes() const { return 2 * rows * 2 * ExpandedProblem::kPart * 2; }
  /// With the codes of the weight as bf16.
  int64_t getScratchBytes(const ExpandedProblem &problem) const;
};

/// For programs of at most so many tokens and cached rows of a sequence.
ExpandedTile getExpandedTile(const ExpandedProblem &problem, int64_t tokens, int64_t context,
                             int64_t workers);

LaunchShape getLaunchShape(const ExpandedTile &tile);
void emitExpandedAttention(KernelFrame &frame, const ExpandedProblem &problem,
                           const ExpandedTile &tile);

} // namespace moec::hopper
