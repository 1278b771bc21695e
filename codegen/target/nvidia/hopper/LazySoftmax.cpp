#include "codegen/target/nvidia/hopper/LazySoftmax.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>
#include <limits>
#include <numbers>

using namespace moec::hopper;

// Below every score, and 2^(a - b) of two of them is a number.
static constexpr double kLowest = -1.0e30;
static constexpr double kSlack = 8; // powers of 2 that a maximum may be above its reference

/// Register i of a lane's scores belongs to this one of its rows.
static unsigned getRow(unsigned i) { return (i >> 1) & 1; }

/// The scores (or weights) of row `row`.
static Values getRowValues(mlir::ValueRange values, unsigned row) {
  Values picked;
  for (auto [i, value] : llvm::enumerate(values))
    if (getRow(i) == row)
      picked.push_back(value);
  return picked;
}

/// Folded as a tree.
template <typename Fold> static Value reduce(Values values, Fold fold) {
  while (values.size() > 1) {
    Values next;
    for (size_t i = 0; i < values.size(); i += 2)
      next.push_back(fold(values[i], values[i + 1]));
    values = next;
  }
  return values.front();
}

Values LazySoftmax::Rows::getValues() const { return {reference[0], reference[1], sum[0], sum[1]}; }

LazySoftmax::Rows LazySoftmax::Rows::get(mlir::ValueRange values) {
  return {{values[0], values[1]}, {values[2], values[3]}};
}

LazySoftmax::Rows LazySoftmax::getStart() const {
  return {Values(2, constantFloat(*b, kLowest)), Values(2, constantFloat(*b, 0))};
}

Values LazySoftmax::hide(mlir::ValueRange scores, const Int &firstColumn,
                         const std::array<Int, 2> &lengths) const {
  Int first = firstColumn + ((getThread(*b) & 3) << 1);
  Value hidden = constantFloat(*b, -std::numeric_limits<double>::infinity());
  Values shown;
  for (auto [i, score] : llvm::enumerate(scores)) {
    Int column = first + (8 * (i >> 2) + (i & 1));
    shown.push_back(select(column < lengths[getRow(i)], score, hidden));
  }
  return shown;
}

LazySoftmax::Step LazySoftmax::add(mlir::ValueRange scores, const Rows &before) const {
  Step step;
  Value unit = constantFloat(*b, scale * std::numbers::log2e), slack = constantFloat(*b, kSlack);
  auto larger = [&](Value x, Value y) { return maxFloat(*b, x, y); };
  Values shifts;
  for (unsigned row = 0; row < 2; ++row) {
    Value most = reduce(getRowValues(scores, row), larger);
    for (int64_t lanes : {1, 2})
      most = larger(most, shuffleXor(*b, most, lanes));
    most = multiplyFloat(*b, most, unit);
    Value old = before.reference[row];
    Value reference = select(isGreater(*b, most, addFloat(*b, old, slack)), most, old);
    step.rows.reference.push_back(reference);
    step.factors.push_back(exp2Fast(*b, subtractFloat(*b, old, reference)));
    shifts.push_back(negateFloat(*b, reference));
  }
  for (auto [i, score] : llvm::enumerate(scores))
    step.weights.push_back(exp2Fast(*b, fma(*b, score, unit, shifts[getRow(i)])));
  for (unsigned row = 0; row < 2; ++row) {
    Value sum = reduce(getRowValues(step.weights, row),
                       [&](Value x, Value y) { return addFloat(*b, x, y); });
    step.sums.push_back(sum);
    step.rows.sum.push_back(fma(*b, before.sum[row], step.factors[row], sum));
  }
  return step;
}

Values LazySoftmax::follow(Rows &rows, const Rows &block) const {
  Values factors;
  for (unsigned row = 0; row < 2; ++row) {
    factors.push_back(exp2Fast(*b, subtractFloat(*b, rows.reference[row], block.reference[row])));
    rows.sum[row] = fma(*b, rows.sum[row], factors[row], block.sum[row]);
  }
  rows.reference = block.reference;
  return factors;
}

Values LazySoftmax::rescale(mlir::ValueRange sums, mlir::ValueRange factors) const {
  Value one = constantFloat(*b, 1);
  llvm::SmallVector<mlir::Type> types(sums.getTypes());
  Bool changes = isOther(*b, factors[0], one) | isOther(*b, factors[1], one);
  return choose(
      anyLane(changes), types,
      [&] {
        Values scaled;
        for (auto [i, sum] : llvm::enumerate(sums))
          scaled.push_back(multiplyFloat(*b, sum, factors[getRow(i)]));
        return scaled;
      },
      [&] { return Values(sums); });
}

LazySoftmax::Rows LazySoftmax::addOverQuad(Rows rows) const {
  for (Value &sum : rows.sum)
    for (int64_t lanes : {1, 2})
      sum = addFloat(*b, sum, shuffleXor(*b, sum, lanes));
  return rows;
}
