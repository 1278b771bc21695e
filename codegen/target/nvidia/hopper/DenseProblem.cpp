#include "codegen/target/nvidia/hopper/DenseProblem.h"

using namespace moec::hopper;

std::optional<std::string> DenseProblem::refuse() const {
  if (k % 8)
    return "K = " + std::to_string(k) + " is no multiple of 8";
  if (columns % 8)
    return "N = " + std::to_string(columns) + " is no multiple of 8";
  return std::nullopt;
}

Int DenseProblem::getWeightRow(const Int &column, int64_t wave) const {
  if (!interleave)
    return column + wave * columns;
  return (column / interleave) * (2 * interleave) + column % interleave + wave * interleave;
}

static TensorMap getOperand(unsigned slot, int64_t k, Extent rows, int64_t boxRows) {
  TensorMap map = TensorMap::ofOperand(slot, 2 * k, rows, static_cast<uint32_t>(boxRows));
  map.element = TensorMap::Element::BFloat16;
  map.sizes[0] = Extent::of(k);
  map.box[0] = DenseProblem::kBlock;
  return map;
}

TensorMap DenseProblem::getXMap(int64_t boxRows) const {
  return getOperand(x, k, getRows(), boxRows);
}

TensorMap DenseProblem::getWeightMap(int64_t boxRows) const {
  return getOperand(w, k, Extent::of(weightRows), boxRows);
}
