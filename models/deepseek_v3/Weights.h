// The tensors of a deepseek_v3 checkpoint: names, shapes, and which of them are
// matrices of linear layers (stored quantized in a quantized checkpoint).
#pragma once

#include "models/deepseek_v3/Config.h"

namespace moec::models::deepseek_v3 {

using frontend::WeightRequest;

struct AttentionWeights {
  // With q_lora_rank: qA, qANorm, qB. Without: q.
  std::optional<WeightRequest> q, qA, qANorm, qB;
  WeightRequest kvA;     // [kv_lora_rank + rope, H]
  WeightRequest kvANorm; // [kv_lora_rank]
  WeightRequest kvB;     // [heads * (nope + v), kv_lora_rank]
  WeightRequest o;       // [H, heads * v]
};

struct SwigluWeights {
  WeightRequest gate, up, down; // [I, H], [I, H], [H, I]
};

struct MoeWeights {
  WeightRequest router;     // [E, H]
  WeightRequest routerBias; // [E]
  SwigluWeights experts;    // stacks of E
  std::optional<SwigluWeights> shared;
};

struct LayerWeights {
  std::string prefix; // "model.layers.3"
  WeightRequest inputNorm;
  AttentionWeights attention;
  WeightRequest postAttentionNorm;
  std::optional<SwigluWeights> dense;
  std::optional<MoeWeights> moe; // either this or `dense`
};

/// The layer that predicts one token further, behind the others.
struct MtpWeights {
  WeightRequest embedding, embeddingNorm, hiddenNorm;
  WeightRequest projection; // [H, 2 H]: of the embedding and the hidden state
  LayerWeights layer;
  WeightRequest norm, head;
};

struct ModelWeights {
  WeightRequest embedding;
  std::vector<LayerWeights> layers;
  WeightRequest norm;
  WeightRequest head; // the embedding itself when the config ties them
  std::vector<MtpWeights> mtp;
};

ModelWeights modelWeights(const Config &config);

/// Every tensor that the family reads, one by one, each once.
std::vector<WeightRequest> listWeights(const Config &config);

} // namespace moec::models::deepseek_v3
