#include "codegen/target/nvidia/hopper/WeightScales.h"

#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace moec::hopper;

WeightScales::WeightScales(Builder &b, const Global &scales, const Shape &shape, const Int &matrix,
                           llvm::ArrayRef<Int> firstRows)
    : b(&b), columns(shape.columns), group(std::gcd(shape.columns, int64_t(128))),
      rowsPerWave(1 + (256 - group - 1 + columns - 128) / 128) {
  int64_t scaleRows = llvm::divideCeil(shape.weightRows, 128);
  Int before = matrix.value ? matrix * scaleRows : Int(b, 0);
  for (const Int &row : firstRows) {
    for (int64_t i = 0; i < rowsPerWave; ++i) {
      Int line = min((row >> 7) + i, Int(b, scaleRows - 1));
      lines.push_back(scales.at(before + line, shape.blocks * 4));
    }
    offsets.push_back(row & 127);
  }
}

Values WeightScales::load(const Int &block) const {
  Values values;
  for (const Global &line : lines)
    values.push_back(hopper::load(line + block * 4, b->getF32Type(), 4, /*constant=*/true));
  return values;
}

Value WeightScales::get(mlir::ValueRange loaded, int64_t wave, int64_t g) const {
  int64_t low = g * group / 128, high = (128 - group + g * group) / 128;
  Value first = loaded[wave * rowsPerWave + low];
  if (low == high)
    return first;
  Bool isNext = offsets[wave] + g * group >= 128 * high;
  return select(isNext, loaded[wave * rowsPerWave + high], first);
}
