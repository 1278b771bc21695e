// A decoder-only transformer as data: what a family makes of its config.json. Everything else that
// has to be known of a model follows from it: the graph, the list of its tensors, its size.
#pragma once

#include "frontend/blocks/Blocks.h"
#include "frontend/config/Config.h"
#include <variant>

namespace moec::frontend {

/// x + attention(norm(x)), then x + feedForward(norm(x)).
struct DecoderLayer {
  std::string prefix; // "model.layers.3"
  WeightRequest attentionNorm;
  std::variant<LatentAttention, GroupedQueryAttention> attention;
  WeightRequest feedForwardNorm;
  std::variant<Swiglu, Experts> feedForward;
};

/// A layer that predicts one token further, behind the others: multi-token prediction.
struct NextTokenLayer {
  WeightRequest embedding, embeddingNorm, hiddenNorm;
  WeightRequest projection; // [H, 2 H]: of the embedding and the hidden state
  DecoderLayer layer;
  WeightRequest norm, head;
};

/// The name of the head's tensor where it is not the embedding.
inline constexpr llvm::StringLiteral headName = "lm_head.weight";

struct Decoder {
  int64_t vocabSize, hiddenSize, numLayers, maxPositions;
  double normEpsilon;
  bool tiedEmbeddings; // the head is the embedding
  std::unique_ptr<QuantScheme> scheme;

  WeightRequest embedding;
  std::vector<DecoderLayer> layers;
  WeightRequest norm;
  WeightRequest head;
  std::vector<NextTokenLayer> nextToken;
};

/// Every tensor that the model reads, one by one, each once.
std::vector<WeightRequest> listWeights(const Decoder &decoder);

/// Parameters of the model without its next-token layers.
struct ParameterCounts {
  uint64_t total = 0;
  /// What one token is multiplied with: all but the experts that it is not routed to. The embedding
  /// table counts, though a token reads one row of it.
  uint64_t active = 0;
};
ParameterCounts countParameters(const Decoder &decoder);

/// A module with @forward, and @mtp when there is a next-token layer.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> importDecoder(mlir::MLIRContext *context,
                                                                const Checkpoint &checkpoint,
                                                                const Decoder &decoder,
                                                                const ImportOptions &options);

} // namespace moec::frontend
