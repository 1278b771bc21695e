// Latent attention and layers as in DeepSeek-V3; softmax scores, which are weights as they are, and
// groups that count by their best expert, or not at all.
#include "models/deepseek_v2/DeepseekV2.h"
#include "models/deepseek_v3/DeepseekV3.h"

using namespace llvm;
using namespace moec;
using namespace moec::frontend;
using namespace moec::models::deepseek_v3;

Expected<Decoder> moec::models::deepseek_v2::describe(const Json &json, StringRef file) {
  ConfigReader reader(json, file);
  Decoder decoder = readDecoder(reader, "deepseek_v2");
  LatentAttention attention = readLatentAttention(reader, decoder);
  Mixture mixture = readMixture(reader);
  mixture.routing.scoring = moe::Scoring::Softmax;
  mixture.routing.groupScore = moe::GroupScore::Max;
  reader.optionalOneOf("scoring_func", {"softmax"});
  // The greedy method looks at no groups.
  if (reader.requiredOneOf("topk_method", {"greedy", "group_limited_greedy"}) == "greedy")
    mixture.routing.groups = mixture.routing.topGroups = 1;
  checkGroups(reader, mixture, /*leastPerGroup=*/1);
  // Published implementations disagree on it: the model's own code then leaves out the scale.
  if (reader.requiredBool("norm_topk_prob"))
    reader.unsupported("norm_topk_prob", "false");
  if (Error error = reader.finish())
    return error;

  for (int64_t index = 0; index < decoder.numLayers; ++index)
    decoder.layers.push_back(makeLayer(decoder, attention, mixture, index));
  return decoder;
}
