// Grouped-query attention; every layer routes: softmax over all experts, the weights of the chosen
// ones made to sum to 1 (no epsilon).
#include "models/mixtral/Mixtral.h"
#include "frontend/decoder/ReadDecoder.h"

using namespace llvm;
using namespace moec::frontend;

Expected<Decoder> moec::models::mixtral::describe(const Json &json, StringRef file) {
  ConfigReader reader(json, file);
  Decoder decoder = readDecoder(reader, "mixtral");
  GroupedQueryAttention attention = readGroupedQueryAttention(reader, decoder, {"default"});
  refuseSlidingWindow(reader, /*hasSwitch=*/false);
  int64_t hidden = decoder.hiddenSize;
  int64_t intermediate = reader.requiredInt("intermediate_size", 1, largestDim);
  int64_t numExperts = reader.requiredInt("num_local_experts", 1, 1 << 16);
  Routing routing;
  routing.topK = reader.requiredInt("num_experts_per_tok", 1, numExperts);
  routing.normalize = true;
  reader.harmless({"output_router_logits", "router_aux_loss_coef", "router_jitter_noise"});
  if (Error error = reader.finish())
    return error;

  for (int64_t index = 0; index < decoder.numLayers; ++index) {
    DecoderLayer layer = makeLayer(decoder, index);
    layer.attention = named(attention, layer.prefix + ".self_attn", hidden);
    std::string prefix = layer.prefix + ".block_sparse_moe", expert = prefix + ".experts.{}";
    Experts experts;
    experts.routing = routing;
    experts.router = WeightRequest::plain(prefix + ".gate", {numExperts, hidden});
    experts.experts = {WeightRequest::matrix(expert + ".w1", intermediate, hidden, numExperts),
                       WeightRequest::matrix(expert + ".w3", intermediate, hidden, numExperts),
                       WeightRequest::matrix(expert + ".w2", hidden, intermediate, numExperts)};
    layer.feedForward = std::move(experts);
    decoder.layers.push_back(std::move(layer));
  }
  return decoder;
}
