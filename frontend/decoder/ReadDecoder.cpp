#include "frontend/decoder/ReadDecoder.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace llvm;
using namespace moec::frontend;

Decoder moec::frontend::readDecoder(ConfigReader &reader, StringRef modelType) {
  Decoder decoder;
  reader.requiredOneOf("model_type", {modelType});
  decoder.vocabSize = reader.requiredInt("vocab_size", 1, largestDim);
  decoder.hiddenSize = reader.requiredInt("hidden_size", 1, largestDim);
  decoder.numLayers = reader.requiredInt("num_hidden_layers", 1, 1 << 12);
  decoder.maxPositions = reader.requiredInt("max_position_embeddings", 1, 1 << 30);
  decoder.normEpsilon = reader.requiredFloat("rms_norm_eps", 0, 1);
  decoder.tiedEmbeddings = reader.optionalBool("tie_word_embeddings", false);
  for (StringRef key : {"bos_token_id", "eos_token_id"})
    reader.optionalIntOrList(key, 0, decoder.vocabSize - 1);
  reader.optionalOneOf("hidden_act", {"silu"});
  if (reader.optionalInt("pretraining_tp", 1, 1, 1 << 20) != 1)
    reader.unsupported("pretraining_tp", "1");
  decoder.scheme = readQuantScheme(reader);
  // How the model was trained, stored or is served: nothing of its meaning.
  reader.harmless({"architectures", "attention_dropout", "auto_map", "initializer_range",
                   "pad_token_id", "transformers_version", "use_cache", "_name_or_path"});

  decoder.embedding =
      WeightRequest::plain("model.embed_tokens", {decoder.vocabSize, decoder.hiddenSize});
  decoder.norm = WeightRequest::plain("model.norm", {decoder.hiddenSize});
  decoder.head = decoder.embedding;
  if (!decoder.tiedEmbeddings)
    decoder.head.name = headName.str();
  return decoder;
}

//===-- Rope -------------------------------------------------------------------===//

static Yarn readYarn(ConfigReader &rope) {
  Yarn yarn;
  yarn.factor = rope.requiredFloat("factor", 1, 1e6);
  yarn.betaFast = rope.optionalFloat("beta_fast", 32, 1e-6, 1e6);
  yarn.betaSlow = rope.optionalFloat("beta_slow", 1, 1e-6, 1e6);
  if (yarn.betaFast < yarn.betaSlow)
    rope.fault("beta_fast", "must be at least beta_slow");
  yarn.mscale = rope.optionalFloat("mscale", 1, 0, 1e3);
  yarn.mscaleAllDim = rope.optionalFloat("mscale_all_dim", 0, 0, 1e3);
  yarn.originalContext = rope.requiredInt("original_max_position_embeddings", 1, 1 << 30);
  if (yarn.mscaleAllDim == 0 && yarn.mscale != 1)
    rope.fault("mscale", "differs from 1 while mscale_all_dim is 0 or absent; "
                         "published implementations disagree on what that "
                         "means");
  return yarn;
}

static Llama3 readLlama3(ConfigReader &rope) {
  Llama3 llama3;
  llama3.factor = rope.requiredFloat("factor", 1, 1e6);
  llama3.lowFreqFactor = rope.requiredFloat("low_freq_factor", 1e-6, 1e6);
  llama3.highFreqFactor = rope.requiredFloat("high_freq_factor", 1e-6, 1e6);
  if (llama3.highFreqFactor <= llama3.lowFreqFactor)
    rope.fault("high_freq_factor", "must exceed low_freq_factor");
  llama3.originalContext = rope.requiredInt("original_max_position_embeddings", 1, 1 << 30);
  return llama3;
}

/// The type has two spellings, of which a file may have both.
static std::string readRopeType(ConfigReader &rope, ArrayRef<StringRef> types) {
  StringRef key = rope.has("rope_type") ? "rope_type" : "type";
  std::string type = rope.requiredOneOf(key, types);
  if (rope.has("rope_type") && rope.has("type"))
    rope.requiredOneOf("type", {StringRef(type)});
  return type;
}

Rope moec::frontend::readRope(ConfigReader &reader, int64_t dim, bool interleaved,
                              ArrayRef<StringRef> types) {
  Rope rope{dim, reader.optionalFloat("rope_theta", 10000, 1e-3, 1e12), interleaved, {}};
  StringRef key = reader.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  reader.harmless({"rope_parameters", "rope_scaling"}); // null, or read here
  if (reader.has("rope_parameters") && reader.has("rope_scaling"))
    reader.fault("rope_parameters", "is given beside rope_scaling; keep one");
  ConfigReader *scaling = reader.optionalObject(key);
  if (!scaling)
    return rope;
  rope.theta = scaling->optionalFloat("rope_theta", rope.theta, 1e-3, 1e12);
  std::string type = readRopeType(*scaling, types);
  if (type == "yarn")
    rope.scaling = readYarn(*scaling);
  else if (type == "llama3")
    rope.scaling = readLlama3(*scaling);
  return rope;
}

//===-- Attention --------------------------------------------------------------===//

GroupedQueryAttention moec::frontend::readGroupedQueryAttention(ConfigReader &reader,
                                                                const Decoder &decoder,
                                                                ArrayRef<StringRef> ropeTypes) {
  GroupedQueryAttention attention;
  int64_t heads = attention.heads = reader.requiredInt("num_attention_heads", 1, 1 << 16);
  attention.kvHeads = reader.optionalInt("num_key_value_heads", heads, 1, heads);
  if (heads % attention.kvHeads)
    reader.fault(
        "num_key_value_heads",
        formatv("= {0} does not divide num_attention_heads = {1}", attention.kvHeads, heads).str());
  std::optional<int64_t> headDim = reader.nullableInt("head_dim", 2, 1 << 16);
  if (!headDim && decoder.hiddenSize % heads)
    reader.fault("num_attention_heads",
                 formatv("= {0} does not divide hidden_size = {1}, and there is no head_dim", heads,
                         decoder.hiddenSize)
                     .str());
  attention.headDim = headDim.value_or(std::max<int64_t>(decoder.hiddenSize / heads, 2));
  if (attention.headDim % 2)
    reader.fault(
        headDim ? "head_dim" : "num_attention_heads",
        formatv("gives heads of {0} channels; a rope needs an even number", attention.headDim)
            .str());
  if (reader.optionalBool("attention_bias", false))
    reader.unsupported("attention_bias", "false");
  attention.normEpsilon = decoder.normEpsilon;
  attention.softmaxScale = 1 / std::sqrt(double(attention.headDim));
  attention.rope = readRope(reader, attention.headDim, /*interleaved=*/false, ropeTypes);
  return attention;
}

LatentAttention moec::frontend::readLatentAttention(ConfigReader &reader, const Decoder &decoder) {
  LatentAttention attention;
  int64_t heads = attention.heads = reader.requiredInt("num_attention_heads", 1, 1 << 16);
  if (reader.optionalInt("num_key_value_heads", heads, 1, 1 << 16) != heads)
    reader.unsupported("num_key_value_heads", formatv("{0}, num_attention_heads", heads).str());
  attention.queryRank = reader.nullableInt("q_lora_rank", 1, largestDim);
  attention.latent = reader.requiredInt("kv_lora_rank", 1, largestDim);
  attention.nopeDim = reader.requiredInt("qk_nope_head_dim", 1, 1 << 16);
  attention.ropeDim = reader.requiredInt("qk_rope_head_dim", 2, 1 << 16);
  attention.vDim = reader.requiredInt("v_head_dim", 1, 1 << 16);
  if (attention.ropeDim % 2)
    reader.unsupported("qk_rope_head_dim", "even numbers");
  if (reader.optionalBool("attention_bias", false))
    reader.unsupported("attention_bias", "false");
  // Derived values that some files repeat.
  int64_t headDim = attention.nopeDim + attention.ropeDim;
  if (reader.optionalInt("qk_head_dim", headDim, 1, 1 << 17) != headDim)
    reader.unsupported("qk_head_dim", "qk_nope_head_dim + qk_rope_head_dim");
  if (reader.optionalInt("head_dim", attention.ropeDim, 1, 1 << 17) != attention.ropeDim)
    reader.unsupported("head_dim", "qk_rope_head_dim");
  attention.normEpsilon = decoder.normEpsilon;
  attention.rope = readRope(reader, attention.ropeDim, reader.optionalBool("rope_interleave", true),
                            {"default", "yarn"});
  attention.softmaxScale = attention.rope.softmaxFactor() / std::sqrt(double(headDim));
  return attention;
}

void moec::frontend::refuseSlidingWindow(ConfigReader &reader, bool hasSwitch) {
  if (!hasSwitch) {
    if (reader.nullableInt("sliding_window", 0, 1 << 30))
      reader.unsupported("sliding_window", "null");
    return;
  }
  if (reader.optionalBool("use_sliding_window", false))
    reader.unsupported("use_sliding_window", "false");
  reader.harmless({"sliding_window", "max_window_layers"}); // sizes of what is off
  reader.optionalListOf("layer_types", "full_attention");
}

//===-- Tensor names -----------------------------------------------------------===//

DecoderLayer moec::frontend::makeLayer(const Decoder &decoder, int64_t index) {
  DecoderLayer layer;
  layer.prefix = formatv("model.layers.{0}", index).str();
  layer.attentionNorm =
      WeightRequest::plain(layer.prefix + ".input_layernorm", {decoder.hiddenSize});
  layer.feedForwardNorm =
      WeightRequest::plain(layer.prefix + ".post_attention_layernorm", {decoder.hiddenSize});
  return layer;
}

GroupedQueryAttention moec::frontend::named(GroupedQueryAttention attention,
                                            const std::string &prefix, int64_t hidden, bool bias) {
  auto project = [&](const char *name, int64_t out) {
    Linear linear{WeightRequest::matrix(prefix + name, out, hidden), std::nullopt};
    if (bias)
      linear.bias = {prefix + name + ".bias", {out}};
    return linear;
  };
  int64_t queries = attention.heads * attention.headDim;
  int64_t keys = attention.kvHeads * attention.headDim;
  attention.q = project(".q_proj", queries);
  attention.k = project(".k_proj", keys);
  attention.v = project(".v_proj", keys);
  attention.o = WeightRequest::matrix(prefix + ".o_proj", hidden, queries);
  return attention;
}

LatentAttention moec::frontend::named(LatentAttention attention, const std::string &prefix,
                                      int64_t hidden) {
  int64_t heads = attention.heads, latent = attention.latent;
  int64_t queries = heads * (attention.nopeDim + attention.ropeDim);
  if (std::optional<int64_t> rank = attention.queryRank) {
    attention.qA = WeightRequest::matrix(prefix + ".q_a_proj", *rank, hidden);
    attention.qANorm = WeightRequest::plain(prefix + ".q_a_layernorm", {*rank});
    attention.qB = WeightRequest::matrix(prefix + ".q_b_proj", queries, *rank);
  } else {
    attention.q = WeightRequest::matrix(prefix + ".q_proj", queries, hidden);
  }
  attention.kvA =
      WeightRequest::matrix(prefix + ".kv_a_proj_with_mqa", latent + attention.ropeDim, hidden);
  attention.kvANorm = WeightRequest::plain(prefix + ".kv_a_layernorm", {latent});
  attention.kvB = WeightRequest::matrix(prefix + ".kv_b_proj",
                                        heads * (attention.nopeDim + attention.vDim), latent);
  attention.o = WeightRequest::matrix(prefix + ".o_proj", hidden, heads * attention.vDim);
  return attention;
}

Swiglu moec::frontend::makeSwiglu(const std::string &prefix, int64_t hidden, int64_t intermediate,
                                  int64_t count) {
  return {WeightRequest::matrix(prefix + ".gate_proj", intermediate, hidden, count),
          WeightRequest::matrix(prefix + ".up_proj", intermediate, hidden, count),
          WeightRequest::matrix(prefix + ".down_proj", hidden, intermediate, count)};
}
