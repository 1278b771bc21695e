// Matrix products. Quantized operands stand for code * scale.
#include "dialects/reference/Scope.h"

using namespace moec;
using namespace moec::reference;

double moec::reference::dot(const double *x, const double *y, int64_t size) {
  double sum = 0;
  for (int64_t i = 0; i < size; ++i)
    sum += x[i] * y[i];
  return sum;
}

Results moec::reference::evaluate(moe::LinearOp op, Scope &in) {
  const Tensor &x = in.tensor(op.getX()), &weight = in.tensor(op.getWeight());
  const Tensor *bias = op.getBias() ? &in.tensor(op.getBias()) : nullptr;
  Tensor result({x.rows(), weight.rows()});
  for (int64_t t = 0; t < x.rows(); ++t)
    for (int64_t n = 0; n < weight.rows(); ++n)
      result.at(t, n) = dot(x.row(t), weight.row(n), x.columns()) + (bias ? bias->data[n] : 0);
  return results(result);
}

Results moec::reference::evaluate(moe::HeadLinearOp op, Scope &in) {
  const Tensor &x = in.tensor(op.getX()), &weight = in.tensor(op.getWeight());
  int64_t heads = op.getHeads(), xColumns = x.columns() / heads, wRows = weight.rows() / heads;
  int64_t k = weight.columns(), size = op.getTransposed() ? k : int64_t(op.getWSize());
  Tensor result({x.rows(), heads * size});
  for (int64_t t = 0; t < x.rows(); ++t)
    for (int64_t h = 0; h < heads; ++h) {
      const double *xHead = x.row(t) + h * xColumns + op.getXOffset();
      double *out = result.row(t) + h * size;
      for (int64_t i = 0; i < int64_t(op.getWSize()); ++i) {
        const double *w = weight.row(h * wRows + op.getWOffset() + i);
        if (!op.getTransposed())
          out[i] = dot(xHead, w, k);
        else
          for (int64_t j = 0; j < k; ++j)
            out[j] += xHead[i] * w[j];
      }
    }
  return results(result);
}
