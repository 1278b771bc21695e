// The paged cache, and attention over it: over keys and values, and over latents in its two forms.
#include "dialects/reference/Scope.h"
#include "dialects/reference/SmallFloat.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

using namespace moec;
using namespace moec::reference;

namespace {
/// Finds cache rows through the block table, [sequences, pages].
class BlockTable {
public:
  BlockTable(mlir::Operation *op, const Ints &table, const Cache &cache)
      : op(op), table(table), cache(cache) {}

  /// The slot of row `position` of a sequence.
  llvm::Expected<int64_t> getSlot(int64_t sequence, int64_t position) const {
    if (auto error = checkIndex(op, "sequence", sequence, table.rows()))
      return error;
    if (auto error = checkIndex(op, "position", position, table.columns() * cache.page))
      return error;
    int64_t slot = table.at(sequence, position / cache.page) * cache.page + position % cache.page;
    if (auto error = checkIndex(op, "cache row", slot, cache.rows.rows()))
      return error;
    return slot;
  }

  /// The slots of rows 0 .. position of a sequence.
  llvm::Expected<std::vector<int64_t>> getSlots(int64_t sequence, int64_t position) const {
    std::vector<int64_t> slots;
    for (int64_t row = 0; row <= position; ++row) {
      auto slot = getSlot(sequence, row);
      if (!slot)
        return slot.takeError();
      slots.push_back(*slot);
    }
    return slots;
  }

private:
  mlir::Operation *op;
  const Ints &table;
  const Cache &cache;
};
} // namespace

/// exp(score) / sum of exp(score), in place.
static void softmax(std::vector<double> &scores) {
  double largest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (double score : scores)
    largest = std::max(largest, score);
  for (double &score : scores)
    sum += score = std::exp(score - largest);
  for (double &score : scores)
    score /= sum;
}

Results moec::reference::evaluate(moe::CacheAppendOp op, Scope &in) {
  if (auto error = checkSameRows(op, in, {op.getRows(), op.getPositions(), op.getSequences()}))
    return error;
  Cache cache = in.cache(op.getCache());
  const Tensor &rows = in.tensor(op.getRows());
  const Ints &positions = in.ints(op.getPositions()), &sequences = in.ints(op.getSequences());
  mlir::Type elementType = llvm::cast<moe::CacheType>(op.getType()).getElementType();
  BlockTable table(op, in.ints(op.getBlockTable()), cache);
  for (int64_t t = 0; t < rows.rows(); ++t) {
    auto slot = table.getSlot(sequences.data[t], positions.data[t]);
    if (!slot)
      return slot.takeError();
    for (int64_t i = 0; i < rows.columns(); ++i) {
      double value = rows.at(t, i);
      cache.rows.at(*slot, i) = elementType.isF32() ? value : roundTo(elementType, value);
    }
  }
  return results(std::move(cache));
}

Results moec::reference::evaluate(moe::AttentionOp op, Scope &in) {
  if (auto error = checkSameRows(op, in, {op.getQ(), op.getPositions(), op.getSequences()}))
    return error;
  const Tensor &q = in.tensor(op.getQ());
  const Cache &cache = in.cache(op.getCache());
  const Ints &positions = in.ints(op.getPositions()), &sequences = in.ints(op.getSequences());
  int64_t heads = op.getHeads(), kvHeads = op.getKvHeads(), group = heads / kvHeads;
  int64_t keyDim = op.getKeyDim(), valueDim = op.getValueDim();
  double scale = op.getScale().convertToDouble();
  Tensor result({q.rows(), heads * valueDim});
  for (int64_t t = 0; t < q.rows(); ++t) {
    auto slots = BlockTable(op, in.ints(op.getBlockTable()), cache)
                     .getSlots(sequences.data[t], positions.data[t]);
    if (!slots)
      return slots.takeError();
    for (int64_t h = 0; h < heads; ++h) {
      int64_t keys = h / group * keyDim, values = kvHeads * keyDim + h / group * valueDim;
      std::vector<double> weights;
      for (int64_t slot : *slots)
        weights.push_back(scale * dot(q.row(t) + h * keyDim, cache.rows.row(slot) + keys, keyDim));
      softmax(weights);
      double *out = result.row(t) + h * valueDim;
      for (auto [slot, weight] : llvm::zip(*slots, weights))
        for (int64_t i = 0; i < valueDim; ++i)
          out[i] += weight * cache.rows.at(slot, values + i);
    }
  }
  return results(result);
}

Results moec::reference::evaluate(moe::MlaAttentionOp op, Scope &in) {
  if (auto error = checkSameRows(op, in, {op.getQ(), op.getPositions(), op.getSequences()}))
    return error;
  const Tensor &q = in.tensor(op.getQ()), &upWeight = in.tensor(op.getUpWeight());
  const Cache &cache = in.cache(op.getCache());
  const Ints &positions = in.ints(op.getPositions()), &sequences = in.ints(op.getSequences());
  int64_t heads = op.getHeads(), nope = op.getNopeDim(), rope = op.getRopeDim(), v = op.getVDim();
  int64_t latent = upWeight.columns(), perHead = nope + v;
  double scale = op.getScale().convertToDouble();

  // up_weight * latent of each cached row, made when first needed:
  // [heads][nope of the key | value].
  std::map<int64_t, std::vector<double>> expanded;
  auto expand = [&](int64_t slot) -> const std::vector<double> & {
    std::vector<double> &up = expanded[slot];
    for (int64_t i = up.size(); i < upWeight.rows(); ++i)
      up.push_back(dot(upWeight.row(i), cache.rows.row(slot), latent));
    return up;
  };

  Tensor result({q.rows(), heads * v});
  for (int64_t t = 0; t < q.rows(); ++t) {
    auto slots = BlockTable(op, in.ints(op.getBlockTable()), cache)
                     .getSlots(sequences.data[t], positions.data[t]);
    if (!slots)
      return slots.takeError();
    for (int64_t h = 0; h < heads; ++h) {
      const double *qNope = q.row(t) + h * (nope + rope), *qRope = qNope + nope;
      std::vector<double> weights;
      for (int64_t slot : *slots) {
        double score = dot(qNope, expand(slot).data() + h * perHead, nope) +
                       dot(qRope, cache.rows.row(slot) + latent, rope);
        weights.push_back(scale * score);
      }
      softmax(weights);
      double *out = result.row(t) + h * v;
      for (auto [slot, weight] : llvm::zip(*slots, weights))
        for (int64_t i = 0; i < v; ++i)
          out[i] += weight * expand(slot)[h * perHead + nope + i];
    }
  }
  return results(result);
}

Results moec::reference::evaluate(moe::LatentAttentionOp op, Scope &in) {
  if (auto error =
          checkSameRows(op, in, {op.getQLatent(), op.getQ(), op.getPositions(), op.getSequences()}))
    return error;
  const Tensor &qLatent = in.tensor(op.getQLatent()), &q = in.tensor(op.getQ());
  const Cache &cache = in.cache(op.getCache());
  const Ints &positions = in.ints(op.getPositions()), &sequences = in.ints(op.getSequences());
  int64_t heads = op.getHeads(), rope = op.getRopeDim();
  int64_t latent = cache.rows.columns() - rope, qColumns = q.columns() / heads;
  double scale = op.getScale().convertToDouble();
  Tensor result({q.rows(), heads * latent});
  for (int64_t t = 0; t < q.rows(); ++t) {
    auto slots = BlockTable(op, in.ints(op.getBlockTable()), cache)
                     .getSlots(sequences.data[t], positions.data[t]);
    if (!slots)
      return slots.takeError();
    for (int64_t h = 0; h < heads; ++h) {
      const double *qRope = q.row(t) + (h + 1) * qColumns - rope;
      std::vector<double> weights;
      for (int64_t slot : *slots) {
        const double *row = cache.rows.row(slot);
        double score =
            dot(qLatent.row(t) + h * latent, row, latent) + dot(qRope, row + latent, rope);
        weights.push_back(scale * score);
      }
      softmax(weights);
      double *out = result.row(t) + h * latent;
      for (auto [slot, weight] : llvm::zip(*slots, weights))
        for (int64_t i = 0; i < latent; ++i)
          out[i] += weight * cache.rows.at(slot, i);
    }
  }
  return results(result);
}
