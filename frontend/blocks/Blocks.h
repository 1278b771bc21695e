// The parts of which decoders are composed: what a family says of each (sizes, and the tensors that
// it reads), and the ops that they become. T tokens, H hidden size. Activations are f32 [T, ...];
// weights keep the type they are stored in.
#pragma once

#include "frontend/blocks/GraphBuilder.h"
#include <variant>

namespace moec::frontend {

struct Linear {
  WeightRequest weight;              // [N, K]
  std::optional<WeightRequest> bias; // [N]
};
/// x * weight^T + bias: [T, K] -> [T, N]
mlir::Value linear(GraphBuilder &graph, mlir::Value x, const Linear &layer);
mlir::Value linear(GraphBuilder &graph, mlir::Value x, const WeightRequest &weight);
/// Each of `heads` ranges of columns by itself.
mlir::Value rmsNorm(GraphBuilder &graph, mlir::Value x, const WeightRequest &weight, double epsilon,
                    int64_t heads = 1);
mlir::Value add(GraphBuilder &graph, mlir::Location loc, mlir::Value lhs, mlir::Value rhs);

//===-- Positions --------------------------------------------------------------===//

/// YaRN as configs have it (arXiv:2309.00071): m(s) = 0.1 * s * ln(factor) + 1 for s = `mscale`
/// over the same for `mscaleAllDim` multiplies cos and sin, m(mscaleAllDim) squared the softmax
/// scale.
struct Yarn {
  double factor;
  double betaFast, betaSlow; // rotations over the original context
  double mscale, mscaleAllDim;
  int64_t originalContext;
};

/// The scaling of Llama 3.1; see moe.llama3.
struct Llama3 {
  double factor, lowFreqFactor, highFreqFactor;
  int64_t originalContext;
};

struct Rope {
  int64_t dim = 0;
  double theta = 0;
  bool interleaved = false;
  std::variant<std::monostate, Yarn, Llama3> scaling;

  /// What the softmax scale is multiplied by.
  double softmaxFactor() const;
};
/// `x` with the last `rope.dim` columns of each head rotated.
mlir::Value rotate(GraphBuilder &graph, mlir::Location loc, mlir::Value x,
                   const EntryArguments &entry, int64_t heads, const Rope &rope);

//===-- Feed-forward -----------------------------------------------------------===//

struct Swiglu {
  WeightRequest gate, up, down; // [I, H], [I, H], [H, I]
};

/// How a row's experts are chosen; see moe.gate.
struct Routing {
  moe::Scoring scoring = moe::Scoring::Softmax;
  int64_t topK = 1;
  int64_t groups = 1, topGroups = 1;
  moe::GroupScore groupScore = moe::GroupScore::Top2Sum;
  bool normalize = false;
  double epsilon = 0; // added to the sum that normalises
  double scale = 1;
};

struct Experts {
  Routing routing;
  WeightRequest router;                    // [E, H]
  std::optional<WeightRequest> routerBias; // [E], part of the choice only
  Swiglu experts;                          // stacks of E
  std::optional<Swiglu> shared;            // runs for every row
};

mlir::Value emitFeedForward(GraphBuilder &graph, mlir::Location loc, mlir::Value x,
                            const Swiglu &weights);
mlir::Value emitFeedForward(GraphBuilder &graph, mlir::Location loc, mlir::Value x,
                            const Experts &experts);

//===-- Attention --------------------------------------------------------------===//

/// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434). Cache rows are [latent | rope key].
struct LatentAttention {
  int64_t heads, latent, nopeDim, ropeDim, vDim;
  std::optional<int64_t> queryRank; // nothing: one projection makes the queries
  double softmaxScale;
  double normEpsilon;
  Rope rope;
  // Queries: with a rank down, norm and up; else `q` alone.
  std::optional<WeightRequest> q, qA, qANorm, qB;
  WeightRequest kvA;     // [latent + rope, H]
  WeightRequest kvANorm; // [latent]
  WeightRequest kvB;     // [heads * (nope + v), latent]
  WeightRequest o;       // [H, heads * v]

  int64_t cacheWidth() const { return latent + ropeDim; }
};

/// Attention over keys and values that groups of heads share (arXiv:2305.13245); one group is
/// multi-query, as many as heads multi-head attention. Cache rows are [keys | values].
struct GroupedQueryAttention {
  int64_t heads, kvHeads, headDim;
  double softmaxScale;
  double normEpsilon;
  Rope rope;
  Linear q, k, v;                            // [heads * D, H], [kvHeads * D, H] twice
  std::optional<WeightRequest> qNorm, kNorm; // [D]: of each head, before the rope
  WeightRequest o;                           // [H, heads * D]

  int64_t cacheWidth() const { return 2 * kvHeads * headDim; }
};

/// Appends to `cache` and replaces it by the new one.
mlir::Value emitAttention(GraphBuilder &graph, mlir::Location loc, mlir::Value x,
                          const EntryArguments &entry, mlir::Value &cache,
                          const LatentAttention &attention);
mlir::Value emitAttention(GraphBuilder &graph, mlir::Location loc, mlir::Value x,
                          const EntryArguments &entry, mlir::Value &cache,
                          const GroupedQueryAttention &attention);

} // namespace moec::frontend
