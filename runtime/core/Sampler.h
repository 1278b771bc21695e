// Chooses the next token from logits. The same seed and logits give the same
// tokens, whether the host chooses or a kernel of the bundle (entry "sample"):
// weights are integers that f32 arithmetic makes in a given order, so sums and
// choices are exact.
//
//   d      = (logit - largest) * factor, factor = f32(log2(e) / temperature);
//            0 where logit = largest; -32 where it is not above -32
//   weight = 2^30 * 2^d + 0.5, its fraction dropped: 2^d in f32 by its series
//            to the 7th power around the nearest integer, each step rounded
//
// Greedy (temperature 0): the largest logit, the lower id on a tie; a NaN is
// none. Otherwise, with r = next() >> 32 and S the sum of all weights: the
// first token, in order of id, at which the running sum exceeds
// floor(S r / 2^32). With top_k or top_p candidates are taken in order of
// falling logit, lower id first: top_k keeps the first k, top_p the shortest
// prefix of these whose weights reach ceil(top_p S / 2^32) (top_p in units of
// 2^-32), never less than one; S is the sum of what is kept so far.
// next() is xoshiro256** whose four state words are successive outputs of
// splitmix64 started at the seed. Greedy draws none.
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

private:
  std::array<uint64_t, 4> state;
};

/// How one token is chosen: a row of the input "sampling" of a bundle's entries.
struct TokenChoice {
  float factor = 0;    // log2(e) / temperature; 0: greedy
  uint32_t topK = 0;   // 0: all
  uint32_t topP = 0;   // in units of 2^-32; 0: all
  uint32_t random = 0; // r
};
static_assert(sizeof(TokenChoice) == 16);

class Sampler {
public:
  /// Throws Error(Argument) for options outside their ranges.
  explicit Sampler(const SamplerOptions &options);

  /// What the next token is chosen with; draws a number unless greedy.
  TokenChoice next();

  /// NaN counts as minus infinity; throws Error(Internal) if all logits do.
  int32_t choose(std::span<const float> logits, const TokenChoice &choice);
  int32_t sample(std::span<const float> logits) { return choose(logits, next()); }

private:
  struct Candidate {
    float logit;
    int32_t id;
    uint32_t weight;
  };
  int32_t chooseFromAll(const TokenChoice &choice) const;
  void collect(std::span<const float> logits, const TokenChoice &choice);
  void keep(const TokenChoice &choice);

  TokenChoice fixed; // what does not change from token to token
  Xoshiro256 random;
  std::vector<uint32_t> weights; // of all tokens
  std::vector<Candidate> candidates;
};

/// The largest logit's index, the lower one on a tie.
int32_t argmax(std::span<const float> logits);

/// Throws the Error(Internal) of a row without a number.
[[noreturn]] void failWithoutLogits();

} // namespace moec::rt
