#include "codegen/target/nvidia/hopper/SoftmaxRows.h"

#include <limits>
#include <numbers>

using namespace moec::hopper;
using mlir::ValueRange;

static constexpr double kHeadroom = 8; // log2 of the largest weight

SoftmaxRows::SoftmaxRows(Builder &b, double scale)
    : b(&b), scale(constantFloat(b, scale * std::numbers::log2e)),
      headroom(constantFloat(b, kHeadroom)) {}

SoftmaxRows::State SoftmaxRows::getStart() const {
  Value least = constantFloat(*b, kLeast), zero = constantFloat(*b, 0);
  return {{least, least}, {zero, zero}};
}

/// The half of a row's values in register `i`: 0 for row lane / 4, 1 for the row 8 below.
static unsigned getHalf(size_t i) { return i / 2 % 2; }

/// A tree over the values of one half.
template <typename Combine> static Value fold(ValueRange values, unsigned half, Combine combine) {
  Values level;
  for (size_t i = 0; i < values.size(); ++i)
    if (getHalf(i) == half)
      level.push_back(values[i]);
  for (; level.size() > 1; level.truncate(level.size() / 2))
    for (size_t i = 0; i < level.size() / 2; ++i)
      level[i] = combine(level[2 * i], level[2 * i + 1]);
  return level.front();
}

Values SoftmaxRows::mask(ValueRange scores, const Int &first, const std::array<Int, 2> &limits,
                         const Int &lane) const {
  Value hidden = constantFloat(*b, -std::numeric_limits<double>::infinity());
  Int lanesFirst = first + ((lane & 3) << 1);
  std::array<Int, 2> seen = {minusOrZero(limits[0], lanesFirst),
                             minusOrZero(limits[1], lanesFirst)};
  Values masked;
  for (auto [i, score] : llvm::enumerate(scores)) {
    Int column(*b, 8 * (i / 4) + i % 2);
    masked.push_back(select(column < seen[getHalf(i)], score, hidden));
  }
  return masked;
}

SoftmaxRows::Step SoftmaxRows::advance(ValueRange scores, const State &state) const {
  Step step;
  std::array<Value, 2> negated;
  auto larger = [&](Value x, Value y) { return maxFloat(*b, x, y); };
  auto add = [&](Value x, Value y) { return addFloat(*b, x, y); };
  for (unsigned half : {0, 1}) {
    Value most = fold(scores, half, larger);
    for (int64_t lanes : {1, 2})
      most = larger(most, shuffleXor(*b, most, lanes));
    most = multiplyFloat(*b, most, scale);
    Value before = state.reference[half];
    Value after = select(isGreater(*b, most, add(before, headroom)), most, before);
    step.state.reference[half] = after;
    step.factors[half] = exp2Fast(*b, subtractFloat(*b, before, after));
    negated[half] = subtractFloat(*b, constantFloat(*b, 0), after);
  }
  for (auto [i, score] : llvm::enumerate(scores))
    step.weights.push_back(exp2Fast(*b, fma(*b, score, scale, negated[getHalf(i)])));
  for (unsigned half : {0, 1})
    step.state.sum[half] =
        fma(*b, state.sum[half], step.factors[half], fold(step.weights, half, add));
  return step;
}

Values SoftmaxRows::rescale(ValueRange sums, const std::array<Value, 2> &factors) const {
  Value one = constantFloat(*b, 1);
  Bool shrinks = isGreater(*b, one, factors[0]) | isGreater(*b, one, factors[1]);
  return choose(
      anyLane(shrinks), sums.getTypes(),
      [&] {
        Values scaled;
        for (auto [i, sum] : llvm::enumerate(sums))
          scaled.push_back(multiplyFloat(*b, sum, factors[getHalf(i)]));
        return scaled;
      },
      [&] { return Values(sums); });
}

std::array<Value, 2> SoftmaxRows::finish(const State &state) const {
  std::array<Value, 2> sums = state.sum;
  for (Value &sum : sums)
    for (int64_t lanes : {1, 2})
      sum = addFloat(*b, sum, shuffleXor(*b, sum, lanes));
  return sums;
}
