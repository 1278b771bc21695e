// Grouped-query attention with biases on queries, keys and values; dense SwiGLU.
#include "models/qwen2/Qwen2.h"
#include "frontend/decoder/ReadDecoder.h"

using namespace llvm;
using namespace moec::frontend;

Expected<Decoder> moec::models::qwen2::describe(const Json &json, StringRef file) {
  ConfigReader reader(json, file);
  Decoder decoder = readDecoder(reader, "qwen2");
  GroupedQueryAttention attention = readGroupedQueryAttention(reader, decoder, {"default"});
  int64_t intermediate = reader.requiredInt("intermediate_size", 1, largestDim);
  refuseSlidingWindow(reader, /*hasSwitch=*/true);
  if (reader.optionalBool("use_mrope", false))
    reader.unsupported("use_mrope", "false");
  if (Error error = reader.finish())
    return error;

  for (int64_t index = 0; index < decoder.numLayers; ++index) {
    DecoderLayer layer = makeLayer(decoder, index);
    layer.attention =
        named(attention, layer.prefix + ".self_attn", decoder.hiddenSize, /*bias=*/true);
    layer.feedForward = makeSwiglu(layer.prefix + ".mlp", decoder.hiddenSize, intermediate);
    decoder.layers.push_back(std::move(layer));
  }
  return decoder;
}
