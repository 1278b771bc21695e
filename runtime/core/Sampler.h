// Chooses the next token from logits. The same seed and logits give the same
// tokens.
//
// Greedy (temperature 0): the largest logit, the lower index on a tie.
// Otherwise: p = softmax(logits / temperature) in double. With top_k or top_p,
// candidates are taken in order of falling p, lower index first; top_k keeps
// the first k; top_p keeps the shortest prefix whose p (renormalised after
// top_k) add up to at least top_p, never less than one. With neither they stay
// in order of index. The choice is the first candidate at which the running
// sum of p exceeds u times the sum of all candidates.
// u = (next() >> 11) * 2^-53, next() is xoshiro256** whose four state words
// are successive outputs of splitmix64 started at the seed. Greedy draws none.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace moec::rt {

struct SamplerOptions {
  double temperature = 0; // 0: greedy
  uint32_t topK = 0;      // 0: all
  double topP = 1;        // (0, 1]
  uint64_t seed = 0;
};

/// xoshiro256** by Blackman and Vigna.
class Xoshiro256 {
public:
  explicit Xoshiro256(uint64_t seed);
  uint64_t next();
  double uniform() { return double(next() >> 11) * 0x1p-53; }

private:
  std::array<uint64_t, 4> state;
};

class Sampler {
public:
  /// Throws Error(Argument) for options outside their ranges.
  explicit Sampler(const SamplerOptions &options);

  /// NaN counts as minus infinity; throws Error(Internal) if all logits do.
  int32_t sample(std::span<const float> logits);

private:
  struct Candidate {
    double p;
    int32_t id;
  };
  void collect(std::span<const float> logits, float largest);
  void keepTopK();
  void keepTopP();

  SamplerOptions options;
  Xoshiro256 random;
  std::vector<Candidate> candidates;
};

/// The largest logit's index, the lower one on a tie.
int32_t argmax(std::span<const float> logits);

} // namespace moec::rt
