// DeepSeek-V3, -R1 and -R1-Zero, and what others of their architecture share with them: latent
// attention, and layers of routed and shared experts behind the first dense ones.
#pragma once

#include "frontend/decoder/ReadDecoder.h"

namespace moec::models::deepseek_v3 {

llvm::Expected<frontend::Decoder> describe(const frontend::Json &json, llvm::StringRef file);

/// The same under another model_type.
llvm::Expected<frontend::Decoder> describe(const frontend::Json &json, llvm::StringRef file,
                                           llvm::StringRef modelType);

/// The feed-forward parts of a model, as its config has them.
struct Mixture {
  int64_t intermediateSize;    // of dense layers
  int64_t moeIntermediateSize; // of one expert
  int64_t numExperts, numSharedExperts;
  int64_t firstDenseLayers, moeLayerFreq;
  frontend::Routing routing; // top-k, groups and scale; the rest is the family's
  bool hasRouterBias = false;

  bool isMoeLayer(int64_t layer) const {
    return layer >= firstDenseLayers && layer % moeLayerFreq == 0;
  }
};
Mixture readMixture(frontend::ConfigReader &reader);

/// Notes a fault unless the groups divide the experts, of which each has at least `leastPerGroup`,
/// and the best groups hold enough of them.
void checkGroups(frontend::ConfigReader &reader, const Mixture &mixture, int64_t leastPerGroup);

/// Layer `index` with all its weights.
frontend::DecoderLayer makeLayer(const frontend::Decoder &decoder,
                                 const frontend::LatentAttention &attention, const Mixture &mixture,
                                 int64_t index);

} // namespace moec::models::deepseek_v3
