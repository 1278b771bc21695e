// The paged cache, and attention over it: over keys and values, and over latents in its two forms.
#include "dialects/moe/CacheRow.h"
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

void moec::reference::roundCacheRow(moe::CacheType type, double *row) {
  moe::CacheRow layout = moe::getCacheRow(type);
  mlir::Type tail = type.getElementType();
  if (layout.isQuantized())
    tail = mlir::BFloat16Type::get(type.getContext());
  for (int64_t first = 0; first < layout.codes; first += layout.block) {
    int64_t size = std::min(layout.block, layout.codes - first);
    double scale = quantizeCacheBlock(row + first, size, row + first);
    for (int64_t i = 0; i < size; ++i)
      row[first + i] *= scale;
  }
  for (int64_t i = layout.codes; i < type.getWidth(); ++i)
    row[i] = tail.isF32() ? row[i] : roundTo(tail, row[i]);
}

Results moec::reference::evaluate(moe::CacheAppendOp op, Scope &in) {
  if (auto error = checkSameRows(op, in, {op.getRows(), op.getPositions(), op.getSequences()}))
    return error;
  Cache cache = in.cache(op.getCache());
  const Tensor &rows = in.tensor(op.getRows());
  const Ints &positions = in.ints(op.getPositions()), &sequences = in.ints(op.getSequences());
  BlockTable table(op, in.ints(op.getBlockTable()), cache);
  for (int64_t t = 0; t < rows.rows(); ++t) {
    auto slot = table.getSlot(sequences.data[t], positions.data[t]);
    if (!slot)
      return slot.takeError();
    std::copy_n(rows.row(t), rows.columns(), cache.rows.row(*slot));
    roundCacheRow(llvm::cast<moe::CacheType>(op.getType()), cache.rows.row(*slot));
  }
  return results(std::move(cache));
}

/// For every token and head: softmax(score(token, head, slot)) over the cached rows that the token
/// sees, then add(out, head, slot, weight) to the head's `width` columns for each of them.
template <typename Op, typename Score, typename Add>
static Results attend(Op op, Scope &in, int64_t width, Score score, Add add) {
  const Cache &cache = in.cache(op.getCache());
  const Ints &positions = in.ints(op.getPositions()), &sequences = in.ints(op.getSequences());
  BlockTable table(op, in.ints(op.getBlockTable()), cache);
  int64_t tokens = in.tensor(op.getQ()).rows(), heads = op.getHeads();
  Tensor result({tokens, heads * width});
  for (int64_t t = 0; t < tokens; ++t) {
    auto slots = table.getSlots(sequences.data[t], positions.data[t]);
    if (!slots)
      return slots.takeError();
    for (int64_t h = 0; h < heads; ++h) {
      std::vector<double> weights;
      for (int64_t slot : *slots)
        weights.push_back(score(t, h, slot));
      softmax(weights);
      for (auto [slot, weight] : llvm::zip(*slots, weights))
        add(result.row(t) + h * width, h, slot, weight);
    }
  }
  return results(result);
}

Results moec::reference::evaluate(moe::AttentionOp op, Scope &in) {
  if (auto error = checkSameRows(op, in, {op.getQ(), op.getPositions(), op.getSequences()}))
    return error;
  const Tensor &q = in.tensor(op.getQ()), &rows = in.cache(op.getCache()).rows;
  int64_t kvHeads = op.getKvHeads(), group = op.getHeads() / kvHeads;
  int64_t keyDim = op.getKeyDim(), valueDim = op.getValueDim();
  double scale = op.getScale().convertToDouble();
  auto score = [&](int64_t t, int64_t h, int64_t slot) {
    return scale * dot(q.row(t) + h * keyDim, rows.row(slot) + h / group * keyDim, keyDim);
  };
  auto add = [&](double *out, int64_t h, int64_t slot, double weight) {
    for (int64_t i = 0; i < valueDim; ++i)
      out[i] += weight * rows.at(slot, kvHeads * keyDim + h / group * valueDim + i);
  };
  return attend(op, in, valueDim, score, add);
}

Results moec::reference::evaluate(moe::MlaAttentionOp op, Scope &in) {
  if (auto error = checkSameRows(op, in, {op.getQ(), op.getPositions(), op.getSequences()}))
    return error;
  const Tensor &q = in.tensor(op.getQ()), &upWeight = in.tensor(op.getUpWeight()),
               &rows = in.cache(op.getCache()).rows;
  int64_t nope = op.getNopeDim(), rope = op.getRopeDim(), v = op.getVDim();
  int64_t latent = upWeight.columns(), perHead = nope + v;
  double scale = op.getScale().convertToDouble();

  // up_weight * latent of each cached row, made when first needed:
  // [heads][nope of the key | value].
  std::map<int64_t, std::vector<double>> expanded;
  auto expand = [&](int64_t slot) -> const std::vector<double> & {
    std::vector<double> &up = expanded[slot];
    for (int64_t i = up.size(); i < upWeight.rows(); ++i)
      up.push_back(dot(upWeight.row(i), rows.row(slot), latent));
    return up;
  };
  auto score = [&](int64_t t, int64_t h, int64_t slot) {
    const double *qNope = q.row(t) + h * (nope + rope), *qRope = qNope + nope;
    return scale * (dot(qNope, expand(slot).data() + h * perHead, nope) +
                    dot(qRope, rows.row(slot) + latent, rope));
  };
  auto add = [&](double *out, int64_t h, int64_t slot, double weight) {
    const double *value = expand(slot).data() + h * perHead + nope;
    for (int64_t i = 0; i < v; ++i)
      out[i] += weight * value[i];
  };
  return attend(op, in, v, score, add);
}

Results moec::reference::evaluate(moe::LatentAttentionOp op, Scope &in) {
  if (auto error =
          checkSameRows(op, in, {op.getQLatent(), op.getQ(), op.getPositions(), op.getSequences()}))
    return error;
  const Tensor &qLatent = in.tensor(op.getQLatent()), &q = in.tensor(op.getQ()),
               &rows = in.cache(op.getCache()).rows;
  int64_t rope = op.getRopeDim(), latent = rows.columns() - rope;
  int64_t qColumns = q.columns() / op.getHeads();
  double scale = op.getScale().convertToDouble();
  auto score = [&](int64_t t, int64_t h, int64_t slot) {
    const double *row = rows.row(slot), *qRope = q.row(t) + (h + 1) * qColumns - rope;
    return scale * (dot(qLatent.row(t) + h * latent, row, latent) + dot(qRope, row + latent, rope));
  };
  auto add = [&](double *out, int64_t, int64_t slot, double weight) {
    for (int64_t i = 0; i < latent; ++i)
      out[i] += weight * rows.at(slot, i);
  };
  return attend(op, in, latent, score, add);
}
