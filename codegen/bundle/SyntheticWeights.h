// How weights are filled from a seed when a bundle carries none, such that
// activations keep the size they have in a trained model: matrices are normal
// with standard deviation 1/sqrt(K), so that products of normalised rows stay
// near 1; vectors (norm weights, router biases) are 1. Codes of a quantized
// matrix use most of their range and their scales undo it.
#pragma once

#include "dialects/plan/PlanDialect.h"
#include "runtime/bundle/Bundle_generated.h"

namespace moec::bundle {

struct Fill {
  rt::fb::FillKind kind = rt::fb::FillKind::None;
  float scale = 0;
};

/// The fill of buffer `part` of `source`, which is not computed.
Fill chooseFill(moe::WeightOp source, plan::Part part);

} // namespace moec::bundle
