// Sorting a vocabulary of 130,000 would cost more than a small model's step, so
// candidates that cannot be chosen are dropped before anything is sorted.
// Weights are those of dialects/moe/README.md; this file is compiled without
// fused multiply-adds, which would round differently.
#include "runtime/core/Sampler.h"

#include "runtime/bundle/Error.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace moec::rt {

Xoshiro256::Xoshiro256(uint64_t seed) {
  for (uint64_t &word : state) {
    uint64_t z = seed += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    word = z ^ (z >> 31);
  }
}

uint64_t Xoshiro256::next() {
  uint64_t result = std::rotl(state[1] * 5, 7) * 9;
  uint64_t shifted = state[1] << 17;
  state[2] ^= state[0];
  state[3] ^= state[1];
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= shifted;
  state[3] = std::rotl(state[3], 45);
  return result;
}

namespace {

/// So that 0 times it is 0, and that it stays above 0.
constexpr double kMostFactor = 1e30;

TokenChoice fixedPart(const SamplerOptions &o) {
  constexpr double kLog2E = 1.4426950408889634;
  if (!(o.temperature >= 0) || !std::isfinite(o.temperature))
    fail(ErrorKind::Argument, "temperature is ", o.temperature, ", expected 0 (greedy) or more");
  if (!(o.topP > 0 && o.topP <= 1))
    fail(ErrorKind::Argument, "top-p is ", o.topP, ", expected more than 0 and at most 1");
  TokenChoice fixed;
  if (o.temperature == 0)
    return fixed;
  fixed.factor = float(std::clamp(kLog2E / o.temperature, 1 / kMostFactor, kMostFactor));
  fixed.topK = o.topK;
  if (o.topP < 1)
    fixed.topP = uint32_t(std::clamp(std::round(o.topP * 0x1p32), 1.0, 0x1p32 - 1));
  return fixed;
}

/// ln(2)^k / k!
constexpr std::array<float, 8> kSeries = [] {
  std::array<float, 8> series{};
  double coefficient = 1;
  for (int k = 0; k < 8; coefficient *= 0.693147180559945309417 / ++k)
    series[k] = float(coefficient);
  return series;
}();

/// 2^30 * 2^((logit - largest) * factor).
inline uint32_t weightOf(float logit, float largest, float factor) {
  constexpr float kRounder = 0x1.8p23f; // a sum with it is an integer, in its low bits
  float distance = logit == largest ? 0.0f : (logit - largest) * factor;
  distance = distance > -32.0f ? distance : -32.0f;
  float shifted = distance + kRounder, rest = distance - (shifted - kRounder);
  float power = kSeries[7];
  for (int k = 6; k >= 0; --k)
    power = power * rest + kSeries[k];
  uint32_t exponent = (std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(kRounder) + 157)
                      << 23;
  // As devices round it: the number is positive, and a tie's side is theirs, too.
  float rounded = power * std::bit_cast<float>(exponent) + 0.5f;
  return uint32_t(int32_t(rounded));
}

/// floor(sum * fraction / 2^32), or with `up` the next integer above what has a rest.
uint64_t shareOf(uint64_t sum, uint32_t fraction, bool up = false) {
  uint64_t low = (sum & 0xFFFFFFFF) * fraction + (up ? 0xFFFFFFFF : 0);
  return (sum >> 32) * fraction + (low >> 32);
}

} // namespace

Sampler::Sampler(const SamplerOptions &options) : fixed(fixedPart(options)), random(options.seed) {}

TokenChoice Sampler::next() {
  TokenChoice choice = fixed;
  if (choice.factor != 0)
    choice.random = uint32_t(random.next() >> 32);
  return choice;
}

void failWithoutLogits() { fail(ErrorKind::Internal, "all logits are NaN"); }

int32_t argmax(std::span<const float> logits) {
  int32_t best = -1;
  for (size_t i = 0; i < logits.size(); ++i)
    if (best < 0 ? logits[i] == logits[i] : logits[i] > logits[best])
      best = int32_t(i);
  if (best < 0)
    failWithoutLogits();
  return best;
}

int32_t Sampler::chooseFromAll(const TokenChoice &choice) const {
  uint64_t total = std::accumulate(weights.begin(), weights.end(), uint64_t(0));
  uint64_t target = shareOf(total, choice.random), sum = 0;
  size_t id = 0;
  while ((sum += weights[id]) <= target)
    ++id;
  return int32_t(id);
}

static bool comesFirst(const auto &a, const auto &b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

void Sampler::collect(std::span<const float> logits, const TokenChoice &choice) {
  // All at or below this floor weigh less than what top_p leaves out, so the
  // shortest prefix ends above it. top_k comes first and only shrinks it.
  uint64_t floor = 0;
  if (!choice.topK) {
    uint64_t total = std::accumulate(weights.begin(), weights.end(), uint64_t(0));
    floor = (total - shareOf(total, choice.topP, /*up=*/true)) / weights.size() / 2;
  }
  candidates.clear();
  for (size_t i = 0; i < logits.size(); ++i)
    if (choice.topK ? logits[i] == logits[i] : weights[i] > floor)
      candidates.push_back({logits[i], int32_t(i), weights[i]});
}

/// Orders the candidates and drops what top_k and top_p leave out.
void Sampler::keep(const TokenChoice &choice) {
  auto first = comesFirst<Candidate, Candidate>;
  uint64_t total = 0;
  if (!choice.topK) {
    total = std::accumulate(weights.begin(), weights.end(), uint64_t(0));
  } else {
    if (choice.topK < candidates.size()) {
      std::nth_element(candidates.begin(), candidates.begin() + choice.topK - 1, candidates.end(),
                       first);
      candidates.resize(choice.topK);
    }
    for (const Candidate &c : candidates)
      total += c.weight;
  }
  std::sort(candidates.begin(), candidates.end(), first);
  if (!choice.topP)
    return;
  uint64_t wanted = std::max<uint64_t>(shareOf(total, choice.topP, /*up=*/true), 1), sum = 0;
  size_t count = 0;
  while (sum < wanted)
    sum += candidates[count++].weight;
  candidates.resize(count);
}

int32_t Sampler::choose(std::span<const float> logits, const TokenChoice &choice) {
  int32_t best = argmax(logits);
  if (choice.factor == 0)
    return best;
  weights.resize(logits.size());
  float largest = logits[best];
  for (size_t i = 0; i < logits.size(); ++i)
    weights[i] = weightOf(logits[i], largest, choice.factor);
  if (!choice.topK && !choice.topP)
    return chooseFromAll(choice);
  collect(logits, choice);
  keep(choice);
  uint64_t total = 0, sum = 0;
  for (const Candidate &c : candidates)
    total += c.weight;
  uint64_t target = shareOf(total, choice.random);
  for (const Candidate &c : candidates) {
    sum += c.weight;
    if (sum > target)
      return c.id;
  }
  return candidates.back().id;
}

} // namespace moec::rt
