// Grouped-query attention without biases, its rope scaled as in Llama 3.1; dense SwiGLU.
#include "models/llama/Llama.h"
#include "frontend/decoder/ReadDecoder.h"

using namespace llvm;
using namespace moec::frontend;

Expected<Decoder> moec::models::llama::describe(const Json &json, StringRef file) {
  ConfigReader reader(json, file);
  Decoder decoder = readDecoder(reader, "llama");
  GroupedQueryAttention attention =
      readGroupedQueryAttention(reader, decoder, {"default", "llama3"});
  int64_t intermediate = reader.requiredInt("intermediate_size", 1, largestDim);
  if (reader.optionalBool("mlp_bias", false))
    reader.unsupported("mlp_bias", "false");
  if (Error error = reader.finish())
    return error;

  for (int64_t index = 0; index < decoder.numLayers; ++index) {
    DecoderLayer layer = makeLayer(decoder, index);
    layer.attention = named(attention, layer.prefix + ".self_attn", decoder.hiddenSize);
    layer.feedForward = makeSwiglu(layer.prefix + ".mlp", decoder.hiddenSize, intermediate);
    decoder.layers.push_back(std::move(layer));
  }
  return decoder;
}
