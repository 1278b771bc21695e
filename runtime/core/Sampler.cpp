// Sorting a vocabulary of 130,000 would cost more than a small model's step, so
// candidates that cannot be chosen are dropped before anything is sorted.
#include "runtime/core/Sampler.h"

#include "runtime/bundle/Error.h"

#include <algorithm>
#include <bit>
#include <cmath>

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

Sampler::Sampler(const SamplerOptions &o) : options(o), random(o.seed) {
  if (!(o.temperature >= 0) || !std::isfinite(o.temperature))
    fail(ErrorKind::Argument, "temperature is ", o.temperature, ", expected 0 (greedy) or more");
  if (!(o.topP > 0 && o.topP <= 1))
    fail(ErrorKind::Argument, "top-p is ", o.topP, ", expected more than 0 and at most 1");
}

int32_t argmax(std::span<const float> logits) {
  int32_t best = -1;
  for (size_t i = 0; i < logits.size(); ++i)
    if (best < 0 ? logits[i] == logits[i] : logits[i] > logits[best])
      best = int32_t(i);
  if (best < 0)
    fail(ErrorKind::Internal, "all logits are NaN");
  return best;
}

/// Candidates with unnormalised p = exp((logit - largest) / temperature).
void Sampler::collect(std::span<const float> logits, float largest) {
  candidates.clear();
  double total = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    // An infinite maximum would make its own distance NaN.
    double distance = logits[i] == largest ? 0 : double(logits[i]) - largest;
    double p = std::exp(distance / options.temperature);
    if (!(p > 0))
      continue;
    candidates.push_back({p, int32_t(i)});
    total += p;
  }
  // All candidates below this floor have less than 1 - topP together, so the
  // shortest prefix ends above it. top_k comes first and only shrinks it.
  if (options.topP < 1) {
    double floor = (1 - options.topP) * total / double(candidates.size()) / 2;
    if (!options.topK)
      std::erase_if(candidates, [&](const Candidate &c) { return c.p < floor; });
    for (Candidate &c : candidates)
      c.p /= total;
  }
}

static bool likelier(const auto &a, const auto &b) { return a.p != b.p ? a.p > b.p : a.id < b.id; }

void Sampler::keepTopK() {
  if (!options.topK || options.topK >= candidates.size())
    return;
  std::nth_element(candidates.begin(), candidates.begin() + options.topK - 1, candidates.end(),
                   likelier<Candidate, Candidate>);
  candidates.resize(options.topK);
  double total = 0;
  for (const Candidate &c : candidates)
    total += c.p;
  for (Candidate &c : candidates)
    c.p /= total;
}

void Sampler::keepTopP() {
  if (options.topP >= 1)
    return;
  double sum = 0;
  size_t count = 0;
  while (count < candidates.size() && sum < options.topP)
    sum += candidates[count++].p;
  candidates.resize(std::max<size_t>(count, 1));
}

int32_t Sampler::sample(std::span<const float> logits) {
  int32_t best = argmax(logits);
  if (options.temperature == 0)
    return best;
  collect(logits, logits[best]);
  keepTopK();
  if (options.topK || options.topP < 1)
    std::sort(candidates.begin(), candidates.end(), likelier<Candidate, Candidate>);
  keepTopP();
  double total = 0;
  for (const Candidate &c : candidates)
    total += c.p;
  double target = random.uniform() * total, sum = 0;
  for (const Candidate &c : candidates) {
    sum += c.p;
    if (sum > target)
      return c.id;
  }
  return candidates.back().id;
}

} // namespace moec::rt
