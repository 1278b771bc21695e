// Config keys and tensor names that decoders on Hugging Face share, read and named once. A family
// reads its own keys besides, and says what each layer is made of.
#pragma once

#include "frontend/decoder/Decoder.h"

namespace moec::frontend {

/// Far past any model; every product of a weight's sizes stays in 63 bits.
constexpr int64_t largestDim = 1 << 20;

//===-- Config keys ------------------------------------------------------------===//

/// Sizes, norm, token ids, tied embeddings and quantization. `model_type` must be the given one;
/// the activation must be SiLU. Embedding, norm and head get their usual names.
Decoder readDecoder(ConfigReader &reader, llvm::StringRef modelType);

/// `rope_theta` and `rope_scaling` (or both as `rope_parameters`); `types` are what the family
/// supports of "default", "yarn" and "llama3".
Rope readRope(ConfigReader &reader, int64_t dim, bool interleaved,
              llvm::ArrayRef<llvm::StringRef> types);

/// Heads and rope of attention over keys and values; weights are still without names.
GroupedQueryAttention readGroupedQueryAttention(ConfigReader &reader, const Decoder &decoder,
                                                llvm::ArrayRef<llvm::StringRef> ropeTypes);

/// Ranks, heads and rope of latent attention; weights are still without names.
LatentAttention readLatentAttention(ConfigReader &reader, const Decoder &decoder);

/// Refuses a sliding window that is in use: of a family with the key `use_sliding_window` by that
/// switch, of another by `sliding_window` not being null.
void refuseSlidingWindow(ConfigReader &reader, bool hasSwitch);

//===-- Tensor names -----------------------------------------------------------===//

/// The layer "model.layers.<index>" with its two norms.
DecoderLayer makeLayer(const Decoder &decoder, int64_t index);

/// The attention with its weights: "<prefix>.q_proj" and so on; `bias` is one of q, k and v.
GroupedQueryAttention named(GroupedQueryAttention attention, const std::string &prefix,
                            int64_t hidden, bool bias = false);
LatentAttention named(LatentAttention attention, const std::string &prefix, int64_t hidden);

/// "<prefix>.gate_proj", "up_proj" and "down_proj"; with a count, a stack of so many.
Swiglu makeSwiglu(const std::string &prefix, int64_t hidden, int64_t intermediate,
                  int64_t count = 0);

} // namespace moec::frontend
