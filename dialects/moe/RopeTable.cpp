// Rotary frequencies as published: theta^(-2j/dim), and for YaRN
// (arXiv:2309.00071, section 3.2) a blend of these with the same divided by
// `factor`. The pairs between two correction dimensions are blended linearly;
// the dimensions are rounded outwards, as the published model code does.
#include "dialects/moe/Recipe.h"

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace mlir;
using namespace moec::moe;

/// The pair (as a real number) that turns `rotations` times over the original context.
static double getCorrectionDim(RopeAttr rope, double rotations) {
  double context = double(rope.getScaling().getOriginalContext());
  return rope.getDim() * std::log(context / (rotations * 2 * std::numbers::pi)) /
         (2 * std::log(double(rope.getTheta())));
}

llvm::SmallVector<double> moec::moe::computeRopeFrequencies(RopeAttr rope) {
  int64_t dim = rope.getDim();
  llvm::SmallVector<double> frequencies;
  for (int64_t j = 0; j < dim / 2; ++j)
    frequencies.push_back(std::pow(double(rope.getTheta()), -2.0 * double(j) / double(dim)));
  YarnAttr yarn = rope.getScaling();
  if (!yarn)
    return frequencies;

  double low = std::max(std::floor(getCorrectionDim(rope, yarn.getBetaFast())), 0.0);
  double high = std::min(std::ceil(getCorrectionDim(rope, yarn.getBetaSlow())), double(dim - 1));
  if (low == high)
    high += 0.001;
  for (auto [j, frequency] : llvm::enumerate(frequencies)) {
    double ramp = std::clamp((double(j) - low) / (high - low), 0.0, 1.0);
    frequency = frequency / yarn.getFactor() * ramp + frequency * (1 - ramp);
  }
  return frequencies;
}

std::vector<float> moec::moe::computeRopeTable(RopeAttr rope, int64_t positions) {
  llvm::SmallVector<double> frequencies = computeRopeFrequencies(rope);
  double factor = rope.getScaling() ? double(rope.getScaling().getAttentionFactor()) : 1.0;
  std::vector<float> table;
  table.reserve(positions * rope.getDim());
  for (int64_t position = 0; position < positions; ++position) {
    for (double frequency : frequencies)
      table.push_back(float(std::cos(double(position) * frequency) * factor));
    for (double frequency : frequencies)
      table.push_back(float(std::sin(double(position) * frequency) * factor));
  }
  return table;
}
