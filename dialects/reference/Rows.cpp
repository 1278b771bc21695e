// Ops on rows: lookup, sums, norms, columns, rotary positions.
#include "dialects/moe/Recipe.h"
#include "dialects/reference/Scope.h"

#include <algorithm>
#include <cmath>

using namespace moec;
using namespace moec::reference;

Results moec::reference::evaluate(moe::EmbeddingOp op, Scope &in) {
  const Ints &ids = in.ints(op.getIds());
  const Tensor &table = in.tensor(op.getTable());
  Tensor result({ids.rows(), table.columns()});
  for (int64_t t = 0; t < ids.rows(); ++t) {
    if (auto error = checkIndex(op, "id", ids.data[t], table.rows()))
      return error;
    std::copy_n(table.row(ids.data[t]), table.columns(), result.row(t));
  }
  return results(result);
}

Results moec::reference::evaluate(moe::GatherRowsOp op, Scope &in) {
  const Tensor &x = in.tensor(op.getX());
  const Ints &rows = in.ints(op.getRows());
  Tensor result({rows.rows(), x.columns()});
  for (int64_t r = 0; r < rows.rows(); ++r) {
    if (auto error = checkIndex(op, "row", rows.data[r], x.rows()))
      return error;
    std::copy_n(x.row(rows.data[r]), x.columns(), result.row(r));
  }
  return results(result);
}

Results moec::reference::evaluate(moe::AddOp op, Scope &in) {
  if (auto error = checkSameRows(op, in, {op.getLhs(), op.getRhs()}))
    return error;
  const Tensor &rhs = in.tensor(op.getRhs());
  Tensor result = in.tensor(op.getLhs());
  for (size_t i = 0; i < result.data.size(); ++i)
    result.data[i] += rhs.data[i];
  return results(result);
}

Results moec::reference::evaluate(moe::RmsNormOp op, Scope &in) {
  const Tensor &weight = in.tensor(op.getWeight());
  Tensor x = in.tensor(op.getX());
  double epsilon = op.getEpsilon().convertToDouble();
  int64_t heads = op.getHeads(), columns = x.columns() / heads;
  for (int64_t t = 0; t < x.rows(); ++t)
    for (int64_t h = 0; h < heads; ++h) {
      double *head = x.row(t) + h * columns;
      double meanSquare = dot(head, head, columns) / double(columns);
      for (int64_t i = 0; i < columns; ++i)
        head[i] = head[i] / std::sqrt(meanSquare + epsilon) * weight.data[i];
    }
  return results(x);
}

double moec::reference::swiglu(double gate, double up) { return gate / (1 + std::exp(-gate)) * up; }

Results moec::reference::evaluate(moe::SwigluOp op, Scope &in) {
  if (auto error = checkSameRows(op, in, {op.getGate(), op.getUp()}))
    return error;
  const Tensor &up = in.tensor(op.getUp());
  Tensor result = in.tensor(op.getGate());
  for (size_t i = 0; i < result.data.size(); ++i)
    result.data[i] = swiglu(result.data[i], up.data[i]);
  return results(result);
}

Results moec::reference::evaluate(moe::SliceOp op, Scope &in) {
  const Tensor &x = in.tensor(op.getX());
  Tensor result({x.rows(), moe::getShape(op.getType()).back()});
  for (int64_t t = 0; t < x.rows(); ++t)
    std::copy_n(x.row(t) + op.getOffset(), result.columns(), result.row(t));
  return results(result);
}

Results moec::reference::evaluate(moe::DeinterleaveOp op, Scope &in) {
  const Tensor &x = in.tensor(op.getX());
  int64_t parts = op.getNumResults(), size = x.columns() / parts, block = op.getBlock();
  std::vector<Value> list;
  for (int64_t part = 0; part < parts; ++part) {
    Tensor result({x.rows(), size});
    for (int64_t t = 0; t < x.rows(); ++t)
      for (int64_t first = 0; first < size; first += block) {
        int64_t count = std::min(block, size - first);
        std::copy_n(x.row(t) + first * parts + part * count, count, result.row(t) + first);
      }
    list.push_back(std::move(result));
  }
  return list;
}

Results moec::reference::evaluate(moe::ConcatOp op, Scope &in) {
  if (auto error = checkSameRows(op, in, op.getParts()))
    return error;
  Tensor result({in.tensor(op.getParts()[0]).rows(), moe::getShape(op.getType()).back()});
  int64_t offset = 0;
  for (mlir::Value name : op.getParts()) {
    const Tensor &part = in.tensor(name);
    for (int64_t t = 0; t < result.rows(); ++t)
      std::copy_n(part.row(t), part.columns(), result.row(t) + offset);
    offset += part.columns();
  }
  return results(result);
}

Results moec::reference::evaluate(moe::RopeOp op, Scope &in) {
  if (auto error = checkSameRows(op, in, {op.getX(), op.getPositions()}))
    return error;
  Tensor x = in.tensor(op.getX());
  const Ints &positions = in.ints(op.getPositions());
  moe::RopeAttr rope = op.getRope();
  auto frequencies = moe::computeRopeFrequencies(rope);
  double factor = rope.getAttentionFactor();
  int64_t heads = op.getHeads(), columns = x.columns() / heads, half = rope.getDim() / 2;
  bool interleaved = rope.getLayout() == moe::RopeLayout::Interleaved;
  for (int64_t t = 0; t < x.rows(); ++t)
    for (int64_t h = 0; h < heads; ++h) {
      double *rotated = x.row(t) + (h + 1) * columns - rope.getDim();
      for (int64_t j = 0; j < half; ++j) {
        double angle = positions.data[t] * frequencies[j];
        double &first = rotated[interleaved ? 2 * j : j];
        double &second = rotated[interleaved ? 2 * j + 1 : j + half];
        double a = first, b = second;
        first = (a * std::cos(angle) - b * std::sin(angle)) * factor;
        second = (a * std::sin(angle) + b * std::cos(angle)) * factor;
      }
    }
  return results(x);
}
