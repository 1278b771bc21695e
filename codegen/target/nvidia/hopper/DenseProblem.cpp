#include "codegen/target/nvidia/hopper/DenseProblem.h"

using namespace moec::hopper;

std::optional<std::string> DenseProblem::refuse() const {
  if (k % 8)
    return "K = " + std::to_string(k) + " is no multiple of 8";
  if (columns % 8)
    return "N = " + std::to_string(columns) + " is no multiple of 8";
  if (groups && groups->count > RowGroups::kMostGroups)
    return "its offsets list " + std::to_string(groups->count) + " groups, more than " +
           std::to_string(RowGroups::kMostGroups);
  // Threads copy whole rows of a box, and no zeros.
  if (isGathered() && k % kBlock)
    return "its rows are scattered, and K = " + std::to_string(k) + " is no multiple of " +
           std::to_string(kBlock);
  return std::nullopt;
}

Int DenseProblem::getWeightRow(const TilePlace &place, int64_t wave) const {
  Int row = getWaveRow(place.column, wave, columns, interleave);
  return groups ? row + place.group * weightRows : row;
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
  return getOperand(w, k, Extent::of((groups ? groups->count : 1) * weightRows), boxRows);
}
