// Rotary frequencies as published: theta^(-2j/dim), and for YaRN (arXiv:2309.00071, section 3.2)
// and Llama 3.1 a blend of these with the same divided by `factor`. YaRN blends linearly in the
// number of the pair, between two correction dimensions that are rounded outwards, as the published
// model code does; Llama 3.1 linearly in the turns over the original context.
#include "dialects/moe/Recipe.h"

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace mlir;
using namespace moec::moe;

/// The pair (as a real number) that turns `rotations` times over the original context.
static double getCorrectionDim(RopeAttr rope, YarnAttr yarn, double rotations) {
  double context = double(yarn.getOriginalContext());
  return rope.getDim() * std::log(context / (rotations * 2 * std::numbers::pi)) /
         (2 * std::log(double(rope.getTheta())));
}

/// The share of each pair's frequency that is divided by the factor.
static llvm::SmallVector<double> getShares(RopeAttr rope, YarnAttr yarn) {
  double low = std::max(std::floor(getCorrectionDim(rope, yarn, yarn.getBetaFast())), 0.0);
  double high = std::min(std::ceil(getCorrectionDim(rope, yarn, yarn.getBetaSlow())),
                         double(rope.getDim() - 1));
  if (low == high)
    high += 0.001;
  llvm::SmallVector<double> shares;
  for (int64_t j = 0; j < rope.getDim() / 2; ++j)
    shares.push_back(std::clamp((double(j) - low) / (high - low), 0.0, 1.0));
  return shares;
}

static llvm::SmallVector<double> getShares(llvm::ArrayRef<double> frequencies, Llama3Attr llama3) {
  double low = llama3.getLowFreqFactor(), high = llama3.getHighFreqFactor();
  llvm::SmallVector<double> shares;
  for (double frequency : frequencies) {
    double turns = double(llama3.getOriginalContext()) * frequency / (2 * std::numbers::pi);
    shares.push_back(1 - std::clamp((turns - low) / (high - low), 0.0, 1.0));
  }
  return shares;
}

llvm::SmallVector<double> moec::moe::computeRopeFrequencies(RopeAttr rope) {
  int64_t dim = rope.getDim();
  llvm::SmallVector<double> frequencies, shares(dim / 2);
  for (int64_t j = 0; j < dim / 2; ++j)
    frequencies.push_back(std::pow(double(rope.getTheta()), -2.0 * double(j) / double(dim)));
  double factor = 1;
  if (auto yarn = dyn_cast_or_null<YarnAttr>(rope.getScaling())) {
    factor = yarn.getFactor();
    shares = getShares(rope, yarn);
  } else if (auto llama3 = dyn_cast_or_null<Llama3Attr>(rope.getScaling())) {
    factor = llama3.getFactor();
    shares = getShares(frequencies, llama3);
  }
  for (auto [frequency, share] : llvm::zip(frequencies, shares))
    frequency = frequency / factor * share + frequency * (1 - share);
  return frequencies;
}

std::vector<float> moec::moe::computeRopeTable(RopeAttr rope, int64_t positions) {
  llvm::SmallVector<double> frequencies = computeRopeFrequencies(rope);
  double factor = rope.getAttentionFactor();
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
