// The parts of which families compose their layers. T tokens, H hidden size.
// Activations are f32 [T, ...]; weights keep the type they are stored in.
#pragma once

#include "frontend/blocks/GraphBuilder.h"

namespace moec::frontend {

/// x * weight^T: [T, K] -> [T, N]
mlir::Value linear(GraphBuilder &graph, mlir::Value x, Weight weight);
mlir::Value rmsNorm(GraphBuilder &graph, mlir::Value x, Weight weight, double epsilon);
mlir::Value add(GraphBuilder &graph, mlir::Location loc, mlir::Value lhs, mlir::Value rhs);

/// A rotary embedding, YaRN included.
struct Rope {
  int64_t dim;
  double theta;
  bool interleaved;
  struct Yarn {
    double factor, betaFast, betaSlow, attentionFactor;
    int64_t originalContext;
  };
  std::optional<Yarn> yarn;
};

/// YaRN's 0.1 * mscale * ln(factor) + 1.
double yarnScale(double factor, double mscale);

//===-- Feed-forward -----------------------------------------------------------===//

struct Swiglu {
  Weight gate, up, down; // [I, H], [I, H], [H, I]
};
mlir::Value swiglu(GraphBuilder &graph, mlir::Location loc, mlir::Value x, const Swiglu &weights);

/// How a row's experts are chosen; see moe.gate.
struct Routing {
  moe::Scoring scoring;
  int64_t topK;
  int64_t groups = 1, topGroups = 1;
  moe::GroupScore groupScore = moe::GroupScore::Top2Sum;
  bool normalize = false;
  double scale = 1;
};

struct Experts {
  Weight router;                // [E, H]
  std::optional<Weight> bias;   // [E], part of the choice only
  Swiglu experts;               // [E, I, H], [E, I, H], [E, H, I]
  std::optional<Swiglu> shared; // runs for every row
};
mlir::Value routedExperts(GraphBuilder &graph, mlir::Location loc, mlir::Value x,
                          const Routing &routing, const Experts &weights);

//===-- Attention --------------------------------------------------------------===//

/// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434).
struct LatentAttention {
  int64_t heads, latent, nopeDim, ropeDim, vDim;
  double softmaxScale;
  double normEpsilon;
  Rope rope;
};
struct LatentAttentionWeights {
  // Queries: either `q` alone, or down, norm and up.
  std::optional<Weight> q, qA, qANorm, qB;
  Weight kvA;     // [latent + rope, H]
  Weight kvANorm; // [latent]
  Weight kvB;     // [heads * (nope + v), latent]
  Weight o;       // [H, heads * v]
};
/// Appends to `cache` (rows [latent | rope key]) and replaces it by the new one.
mlir::Value latentAttention(GraphBuilder &graph, mlir::Location loc, mlir::Value x,
                            const EntryArguments &entry, mlir::Value &cache,
                            const LatentAttention &shape, const LatentAttentionWeights &weights);

} // namespace moec::frontend
