// Codes and scales. Scales are found by the indices of the last two axes.
#include "dialects/reference/Scope.h"
#include "dialects/reference/SmallFloat.h"

#include <algorithm>
#include <cmath>

using namespace moec;
using namespace moec::reference;

Tensor Quantized::dequantize() const {
  Tensor result = codes;
  size_t axes = codes.shape.size();
  int64_t rows = codes.shape[axes - 2], columns = codes.shape[axes - 1];
  int64_t scaleRows = scales.shape[axes - 2], scaleColumns = scales.shape[axes - 1];
  int64_t blockRows = block[0] ? block[0] : rows, blockColumns = block[1] ? block[1] : columns;
  for (int64_t i = 0; i < int64_t(result.data.size()); ++i) {
    int64_t matrix = i / (rows * columns), row = i / columns % rows, column = i % columns;
    int64_t scaleRow = matrix * scaleRows + row / blockRows;
    result.data[i] *= scales.data[scaleRow * scaleColumns + column / blockColumns];
  }
  return result;
}

/// Codes and scale of x[0 .. size). The one place where f32 is the meaning, not
/// an approximation: weights of few bits make values that lie on a tie between two codes, and the
/// published code decides them by its quotient in f32.
static void makeCodes(const double *x, int64_t size, double scale, double *codes) {
  for (int64_t i = 0; i < size; ++i)
    codes[i] = SmallFloat::e4m3().round(float(x[i]) / float(scale));
}

/// The scale with which the largest of x[0 .. size) has the largest code.
static double getScale(const double *x, int64_t size) {
  float amax = 0;
  for (int64_t i = 0; i < size; ++i)
    amax = std::max(amax, std::abs(float(x[i])));
  return std::max(double(amax), 1e-4) / 448;
}

double moec::reference::quantizeBlock(const double *x, int64_t size, mlir::Type scaleType,
                                      double *codes) {
  double scale = roundTo(scaleType, getScale(x, size));
  makeCodes(x, size, scale, codes);
  return scale;
}

double moec::reference::quantizeCacheBlock(const double *x, int64_t size, double *codes) {
  int exponent;
  bool isPower = std::frexp(float(getScale(x, size)), &exponent) == 0.5f;
  double scale = std::ldexp(1.0, isPower ? exponent - 1 : exponent);
  makeCodes(x, size, scale, codes);
  return scale;
}

Results moec::reference::evaluate(moe::QuantizeOp op, Scope &in) {
  const Tensor &x = in.tensor(op.getX());
  moe::QuantSchemeAttr scheme = moe::getScheme(op.getType());
  int64_t block = scheme.getBlock()[1] ? scheme.getBlock()[1] : x.columns();
  int64_t blocks = (x.columns() + block - 1) / block;
  Quantized result{Tensor(x.shape), Tensor({x.rows(), blocks}), {1, block}};
  for (int64_t t = 0; t < x.rows(); ++t)
    for (int64_t b = 0; b < blocks; ++b) {
      int64_t first = b * block, size = std::min(block, x.columns() - first);
      result.scales.at(t, b) =
          quantizeBlock(x.row(t) + first, size, scheme.getScale(), result.codes.row(t) + first);
    }
  return results(result);
}

Results moec::reference::evaluate(moe::DequantizeOp op, Scope &in) {
  return results(in.tensor(op.getX()));
}
