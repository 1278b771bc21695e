#include "codegen/target/nvidia/hopper/WeightScales.h"

#include "codegen/target/nvidia/hopper/Instructions.h"

#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace moec::hopper;

static int64_t getGroupColumns(int64_t columns) { return std::gcd(columns, int64_t(128)); }

int64_t WeightScales::countRows(int64_t columns) {
  return 1 + (256 - getGroupColumns(columns) - 1 + columns - 128) / 128;
}

WeightScales::WeightScales(Builder &b, const Shape &shape, const Int &matrix,
                           llvm::ArrayRef<Int> weightRows)
    : b(&b), shape(shape), group(getGroupColumns(shape.columns)),
      rowsPerWave(countRows(shape.columns)), matrix(matrix) {
  for (const Int &row : weightRows) {
    firstRows.push_back(row >> 7);
    offsets.push_back(row & 127);
  }
}

static int64_t countScaleRows(const WeightScales::Shape &shape) {
  return llvm::divideCeil(shape.weightRows, 128);
}

Int WeightScales::getLine(size_t wave, int64_t row) const {
  Int line = min(firstRows[wave] + row, Int(*b, countScaleRows(shape) - 1));
  return matrix.value ? line + matrix * countScaleRows(shape) : line;
}

void WeightScales::bring(const Shared &to, const Global &scales, const Int &block,
                         const Int &thread) const {
  for (size_t wave = 0; wave < firstRows.size(); ++wave)
    for (int64_t row = 0; row < rowsPerWave; ++row) {
      int64_t index = static_cast<int64_t>(wave) * rowsPerWave + row;
      Global from = scales.at(getLine(wave, row), shape.blocks * 4) + block * 4;
      Shared place = to + index * kBlocks * 4;
      if (shape.blocks % kBlocks == 0) {
        copyElement(place, from, kBlocks * 4, thread == index);
        continue;
      }
      for (int64_t i = 0; i < kBlocks; ++i)
        copyElement(place + i * 4, from + i * 4, 4, (thread == index) & (block + i < shape.blocks));
    }
}

void WeightScales::prefetch(const Global &scales, const Int &lane) const {
  ifThen(lane * 128 < shape.blocks * 4, [&] {
    for (size_t wave = 0; wave < firstRows.size(); ++wave)
      for (int64_t row = 0; row < rowsPerWave; ++row)
        prefetchLine(scales.at(getLine(wave, row), shape.blocks * 4) + lane * 128);
  });
}

Values WeightScales::fetch(const Global &scales, const Int &block) const {
  Values values;
  for (size_t wave = 0; wave < firstRows.size(); ++wave)
    for (int64_t row = 0; row < rowsPerWave; ++row)
      values.push_back(hopper::load(scales.at(getLine(wave, row), shape.blocks * 4) + block * 4,
                                    b->getF32Type(), 4, /*constant=*/true));
  return values;
}

Values WeightScales::load(const Shared &scales, int64_t index) const {
  Values values;
  for (int64_t row = 0; row < static_cast<int64_t>(firstRows.size()) * rowsPerWave; ++row)
    values.push_back(hopper::load(scales + (row * kBlocks + index) * 4, b->getF32Type(), 4));
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
