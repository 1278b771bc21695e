// The config of the deepseek_v3 family (DeepSeek-V3, -R1, -R1-Zero), read from
// config.json. Every key that changes what is computed is a field here or is
// checked to hold the one value that the family implements.
#pragma once

#include "frontend/config/Config.h"
#include "frontend/quant/QuantScheme.h"

namespace moec::models::deepseek_v3 {

/// YaRN: positions beyond `originalMaxPositions` by interpolating the slow
/// frequencies.
struct Yarn {
  double factor;
  double betaFast, betaSlow;   // rotations over originalMaxPositions
  double mscale, mscaleAllDim; // of the cos/sin table and of the softmax
  int64_t originalMaxPositions;
};

struct Config {
  int64_t vocabSize, hiddenSize, numLayers, maxPositions;
  int64_t numMtpLayers; // beside numLayers, in the checkpoint after them
  double rmsNormEps;
  bool tieWordEmbeddings;
  std::vector<int64_t> bosTokens, eosTokens;

  // Multi-head latent attention.
  int64_t numHeads;
  std::optional<int64_t> qLoraRank; // nothing: one q_proj
  int64_t kvLoraRank, qkNopeHeadDim, qkRopeHeadDim, vHeadDim;
  double ropeTheta;
  bool ropeInterleaved; // pairs (2i, 2i+1) of the checkpoint's channels
  std::optional<Yarn> yarn;

  // Feed-forward.
  int64_t intermediateSize;    // of dense layers
  int64_t moeIntermediateSize; // of one expert
  int64_t numExperts, numSharedExperts, numExpertsPerToken;
  int64_t numGroups, topkGroups;
  bool normTopkProb;
  double routedScalingFactor;
  int64_t firstDenseLayers, moeLayerFreq;

  std::unique_ptr<frontend::QuantScheme> scheme;

  int64_t qkHeadDim() const { return qkNopeHeadDim + qkRopeHeadDim; }
  bool isMoeLayer(int64_t layer) const {
    return layer >= firstDenseLayers && layer % moeLayerFreq == 0;
  }
};

/// All faults of the config come in one error, a line each.
llvm::Expected<Config> readConfig(const frontend::Json &json, llvm::StringRef file);

} // namespace moec::models::deepseek_v3
