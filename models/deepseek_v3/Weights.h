// The tensors of a deepseek_v3 checkpoint: names, shapes, and which of them are
// matrices of linear layers (stored quantized in a quantized checkpoint).
#ifndef MOEC_MODELS_DEEPSEEK_V3_WEIGHTS_H
#define MOEC_MODELS_DEEPSEEK_V3_WEIGHTS_H

#include "models/deepseek_v3/Config.h"

namespace moec::models::deepseek_v3 {

/// Every tensor that the family reads, in the order of the forward pass; the
/// MTP layer's last.
std::vector<frontend::WeightRequest> listWeights(const Config &config);

} // namespace moec::models::deepseek_v3

#endif
