// Choosing tokens. Weights are integers made by f32 arithmetic in a given order,
// so that every implementation makes the same ones (dialects/moe/README.md).
#include "dialects/reference/Scope.h"

#include "llvm/ADT/bit.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace moec;
using namespace moec::reference;

static constexpr float infinity = std::numeric_limits<float>::infinity();

/// The weight of a token: 2^30 * 2^((logit - largest) * factor).
static int64_t getWeight(float logit, float largest, float factor) {
  constexpr double kLn2 = 0.693147180559945309417;
  float distance = logit == largest ? 0.0f : (logit - largest) * factor;
  if (!(distance > -32))
    distance = -32;
  float whole = std::nearbyint(distance), rest = distance - whole;
  float coefficients[8]; // of the series of 2^rest
  double coefficient = 1;
  for (int k = 0; k < 8; coefficient *= kLn2 / ++k)
    coefficients[k] = float(coefficient);
  float power = coefficients[7];
  for (int k = 6; k >= 0; --k) {
    power = power * rest;
    power = power + coefficients[k];
  }
  float rounded = std::ldexp(power, int(whole) + 30);
  rounded = rounded + 0.5f;
  return int64_t(rounded);
}

static float getLogit(double value) { return std::isnan(value) ? -infinity : float(value); }

static float getLargest(const Tensor &logits, int64_t row) {
  float largest = -infinity;
  for (int64_t i = 0; i < logits.columns(); ++i)
    largest = std::max(largest, getLogit(logits.at(row, i)));
  return largest;
}

Results moec::reference::evaluate(moe::ChunkMaximaOp op, Scope &in) {
  return results(getChunkMaxima(in.tensor(op.getLogits()), op.getChunk()));
}

Tensor moec::reference::getChunkMaxima(const Tensor &logits, int64_t chunk) {
  Tensor maxima({logits.rows(), (logits.columns() + chunk - 1) / chunk}, -infinity);
  for (int64_t row = 0; row < logits.rows(); ++row)
    for (int64_t i = 0; i < logits.columns(); ++i) {
      double &largest = maxima.at(row, i / chunk);
      largest = std::max<double>(largest, getLogit(logits.at(row, i)));
    }
  return maxima;
}

Results moec::reference::evaluate(moe::ChunkMassesOp op, Scope &in) {
  if (auto error = checkSameRows(op, in, {op.getLogits(), op.getMaxima(), op.getSampling()}))
    return error;
  return results(
      getChunkMasses(in.tensor(op.getLogits()), in.ints(op.getSampling()), op.getChunk()));
}

Ints moec::reference::getChunkMasses(const Tensor &logits, const Ints &sampling, int64_t chunk) {
  int64_t chunks = (logits.columns() + chunk - 1) / chunk;
  Ints masses({logits.rows(), 2 * chunks});
  for (int64_t row = 0; row < logits.rows(); ++row) {
    float factor = llvm::bit_cast<float>(sampling.at(row, 0));
    if (factor == 0)
      continue;
    float largest = getLargest(logits, row);
    std::vector<int64_t> sums(chunks);
    for (int64_t i = 0; i < logits.columns(); ++i)
      sums[i / chunk] += getWeight(float(logits.at(row, i)), largest, factor);
    for (int64_t c = 0; c < chunks; ++c) {
      masses.at(row, c) = int32_t(sums[c] % (1 << 20));
      masses.at(row, chunks + c) = int32_t(sums[c] >> 20);
    }
  }
  return masses;
}

//===----------------------------------------------------------------------===//
// The choice
//===----------------------------------------------------------------------===//

namespace {
struct Candidate {
  float logit;
  int32_t id;
  int64_t weight;
};
} // namespace

static int64_t sumWeights(const std::vector<Candidate> &candidates) {
  int64_t sum = 0;
  for (const Candidate &candidate : candidates)
    sum += candidate.weight;
  return sum;
}

/// floor(sum * fraction / 2^32), or with `up` the next integer above what has a rest.
static int64_t takeShare(int64_t sum, uint32_t fraction, bool up = false) {
  uint64_t low = uint64_t(sum) & 0xFFFFFFFF, high = uint64_t(sum) >> 32;
  return int64_t(high * fraction + ((low * fraction + (up ? 0xFFFFFFFF : 0)) >> 32));
}

/// Drops what top_k and top_p leave out; candidates are in order.
static void keep(std::vector<Candidate> &candidates, uint32_t topK, uint32_t topP) {
  if (topK && topK < candidates.size())
    candidates.resize(topK);
  if (!topP)
    return;
  int64_t wanted = std::max<int64_t>(takeShare(sumWeights(candidates), topP, /*up=*/true), 1);
  int64_t sum = 0;
  size_t count = 0;
  while (sum < wanted)
    sum += candidates[count++].weight;
  candidates.resize(count);
}

/// `sampling`: factor, top_k, top_p, random number.
static int32_t choose(const Tensor &logits, int64_t row, const int32_t *sampling) {
  std::vector<Candidate> candidates;
  float factor = llvm::bit_cast<float>(sampling[0]), largest = getLargest(logits, row);
  for (int64_t i = 0; i < logits.columns(); ++i)
    if (double logit = logits.at(row, i); !std::isnan(logit))
      candidates.push_back({float(logit), int32_t(i), getWeight(float(logit), largest, factor)});
  if (candidates.empty())
    return -1;
  if (factor == 0) // of equals the first is the largest
    return std::max_element(candidates.begin(), candidates.end(),
                            [](auto &lhs, auto &rhs) { return lhs.logit < rhs.logit; })
        ->id;
  if (sampling[1] || sampling[2]) {
    std::sort(candidates.begin(), candidates.end(), [](auto &lhs, auto &rhs) {
      return lhs.logit > rhs.logit || (lhs.logit == rhs.logit && lhs.id < rhs.id);
    });
    keep(candidates, sampling[1], sampling[2]);
  }
  int64_t target = takeShare(sumWeights(candidates), sampling[3]), sum = 0;
  for (const Candidate &candidate : candidates) {
    sum += candidate.weight;
    if (sum > target)
      return candidate.id;
  }
  return candidates.back().id;
}

Results moec::reference::evaluate(moe::SampleOp op, Scope &in) {
  if (auto error = checkSameRows(op, in, {op.getLogits(), op.getSampling()}))
    return error;
  const Tensor &logits = in.tensor(op.getLogits());
  const Ints &sampling = in.ints(op.getSampling());
  Ints ids({logits.rows()});
  for (int64_t row = 0; row < logits.rows(); ++row)
    ids.data[row] = choose(logits, row, sampling.row(row));
  return results(ids);
}
