#include "codegen/bundle/SyntheticWeights.h"

#include <cmath>

using namespace moec::bundle;
namespace fb = moec::rt::fb;

/// Standard deviation of FP8 codes: the fill stays within 3.5 deviations, so
/// below E4M3's largest value, 448.
static constexpr double codeDeviation = 100;

Fill moec::bundle::chooseFill(moe::WeightOp source, plan::Part part) {
  llvm::ArrayRef<int64_t> shape = moe::getShape(source.getType());
  double deviation = 1 / std::sqrt(double(shape.back()));
  if (part == plan::Part::Scales)
    return {fb::FillKind::Constant, float(deviation / codeDeviation)};
  if (shape.size() < 2)
    return {fb::FillKind::Constant, 1.0f};
  return {fb::FillKind::Normal,
          float(moe::getScheme(source.getType()) ? codeDeviation : deviation)};
}
