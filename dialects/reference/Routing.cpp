// The gate, the routed experts, and the same split into permutation, grouped
// products and combination.
#include "dialects/reference/Scope.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace moec;
using namespace moec::reference;

static constexpr double infinity = std::numeric_limits<double>::infinity();

/// The indices of the `count` largest values in falling order; of equal values
/// the lower index comes first.
static std::vector<int64_t> selectLargest(const std::vector<double> &values, int64_t count) {
  std::vector<int64_t> selected;
  std::vector<bool> taken(values.size());
  for (int64_t n = 0; n < count; ++n) {
    int64_t best = -1;
    for (int64_t i = 0; i < int64_t(values.size()); ++i)
      if (!taken[i] && (best < 0 || values[i] > values[best]))
        best = i;
    taken[best] = true;
    selected.push_back(best);
  }
  return selected;
}

static std::vector<double> getScores(moe::Scoring scoring, const double *logits, int64_t experts) {
  std::vector<double> scores(logits, logits + experts);
  if (scoring == moe::Scoring::Sigmoid) {
    for (double &score : scores)
      score = 1 / (1 + std::exp(-score));
    return scores;
  }
  double largest = *std::max_element(scores.begin(), scores.end()), sum = 0;
  for (double &score : scores)
    sum += score = std::exp(score - largest);
  for (double &score : scores)
    score /= sum;
  return scores;
}

/// -infinity for the choices outside the best groups.
static void maskGroups(moe::GateOp op, std::vector<double> &choices) {
  int64_t size = choices.size() / op.getGroups();
  std::vector<double> groupScores;
  for (int64_t group = 0; group < int64_t(op.getGroups()); ++group) {
    auto begin = choices.begin() + group * size;
    std::vector<double> members(begin, begin + size);
    auto best = selectLargest(members, std::min<int64_t>(size, 2));
    bool two = op.getGroupScore() == moe::GroupScore::Top2Sum;
    groupScores.push_back(members[best[0]] + (two ? members[best[1]] : 0));
  }
  std::vector<double> masked(choices.size(), -infinity);
  for (int64_t group : selectLargest(groupScores, op.getTopGroups()))
    std::copy_n(choices.begin() + group * size, size, masked.begin() + group * size);
  choices = masked;
}

Results moec::reference::evaluate(moe::GateOp op, Scope &in) {
  const Tensor &logits = in.tensor(op.getLogits());
  int64_t topK = op.getTopK(), experts = logits.columns();
  int64_t shared = op.getShared();
  Ints ids({logits.rows(), topK + shared});
  Tensor weights({logits.rows(), topK + shared});
  for (int64_t t = 0; t < logits.rows(); ++t) {
    std::vector<double> scores = getScores(op.getScoring(), logits.row(t), experts);
    std::vector<double> choices = scores;
    if (op.getBias())
      for (int64_t e = 0; e < experts; ++e)
        choices[e] += in.tensor(op.getBias()).data[e];
    if (op.getGroups() > 1)
      maskGroups(op, choices);
    double sum = 0;
    for (auto [j, expert] : llvm::enumerate(selectLargest(choices, topK))) {
      ids.at(t, j) = int32_t(expert);
      weights.at(t, j) = scores[expert];
      sum += scores[expert];
    }
    for (int64_t j = 0; j < topK; ++j) {
      if (op.getNormalize())
        weights.at(t, j) /= sum + op.getEpsilon().convertToDouble();
      weights.at(t, j) *= op.getScale().convertToDouble();
    }
    for (int64_t j = 0; j < shared; ++j) {
      ids.at(t, topK + j) = int32_t(experts + j);
      weights.at(t, topK + j) = 1;
    }
  }
  return results(ids, weights);
}

Results moec::reference::evaluate(moe::ExpertsOp op, Scope &in) {
  if (auto error = checkSameRows(op, in, {op.getX(), op.getIds(), op.getWeights()}))
    return error;
  const Tensor &x = in.tensor(op.getX()), &weights = in.tensor(op.getWeights());
  const Tensor &gate = in.tensor(op.getGate()), &up = in.tensor(op.getUp()),
               &down = in.tensor(op.getDown());
  const Ints &ids = in.ints(op.getIds());
  int64_t experts = gate.shape[0], intermediate = gate.shape[1], hidden = gate.shape[2];
  Tensor result(x.shape);
  for (int64_t t = 0; t < x.rows(); ++t)
    for (int64_t j = 0; j < ids.columns(); ++j) {
      int64_t expert = ids.at(t, j);
      if (auto error = checkIndex(op, "expert", expert, experts))
        return error;
      std::vector<double> inner(intermediate);
      for (int64_t i = 0; i < intermediate; ++i) {
        int64_t row = expert * intermediate + i;
        inner[i] = swiglu(dot(gate.row(row), x.row(t), hidden), dot(up.row(row), x.row(t), hidden));
      }
      for (int64_t n = 0; n < hidden; ++n)
        result.at(t, n) +=
            weights.at(t, j) * dot(down.row(expert * hidden + n), inner.data(), intermediate);
    }
  return results(result);
}

Results moec::reference::evaluate(moe::PermuteOp op, Scope &in) {
  const Ints &ids = in.ints(op.getIds());
  int64_t pairs = ids.data.size();
  Ints rows({pairs}), slots(ids.shape), offsets(moe::getShape(op.getOffsets().getType()));
  int64_t experts = offsets.rows() - 1;
  for (int32_t id : ids.data)
    if (auto error = checkIndex(op, "expert", id, experts))
      return error;
  int32_t slot = 0;
  for (int64_t expert = 0; expert < experts; ++expert) {
    offsets.data[expert] = slot;
    for (int64_t pair = 0; pair < pairs; ++pair)
      if (ids.data[pair] == expert) {
        rows.data[slot] = int32_t(pair);
        slots.data[pair] = slot++;
      }
  }
  offsets.data[experts] = slot;
  return results(rows, slots, offsets);
}

Results moec::reference::evaluate(moe::GroupedLinearOp op, Scope &in) {
  const Tensor &x = in.tensor(op.getX()), &weight = in.tensor(op.getWeight());
  const Ints &offsets = in.ints(op.getOffsets());
  const Ints *rows = op.getRows() ? &in.ints(op.getRows()) : nullptr;
  int64_t columns = weight.shape[1], slots = rows ? rows->rows() : x.rows();
  Tensor result({slots, columns});
  for (int64_t expert = 0; expert < weight.shape[0]; ++expert)
    for (int64_t slot = offsets.data[expert]; slot < offsets.data[expert + 1]; ++slot) {
      if (auto error = checkIndex(op, "slot", slot, slots))
        return error;
      int64_t row = rows ? rows->data[slot] / int64_t(op.getTopK()) : slot;
      if (auto error = checkIndex(op, "row", row, x.rows()))
        return error;
      for (int64_t n = 0; n < columns; ++n)
        result.at(slot, n) = dot(x.row(row), weight.row(expert * columns + n), x.columns());
    }
  return results(result);
}

Results moec::reference::evaluate(moe::CombineOp op, Scope &in) {
  if (auto error = checkSameRows(op, in, {op.getSlots(), op.getWeights()}))
    return error;
  const Tensor &y = in.tensor(op.getY()), &weights = in.tensor(op.getWeights());
  const Ints &slots = in.ints(op.getSlots());
  Tensor result({slots.rows(), y.columns()});
  for (int64_t t = 0; t < slots.rows(); ++t)
    for (int64_t j = 0; j < slots.columns(); ++j) {
      if (auto error = checkIndex(op, "slot", slots.at(t, j), y.rows()))
        return error;
      for (int64_t n = 0; n < y.columns(); ++n)
        result.at(t, n) += weights.at(t, j) * y.at(slots.at(t, j), n);
    }
  return results(result);
}
