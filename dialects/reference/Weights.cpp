// Assembles a weight piece by piece, as the packer does.
#include "dialects/reference/Weights.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"

using namespace moec;
using namespace moec::reference;

using LoadedLeaves = llvm::StringMap<LeafData>;

static llvm::Error checkSize(const moe::Leaf &leaf, llvm::StringRef what, size_t size,
                             mlir::RankedTensorType type) {
  if (size == size_t(type.getNumElements()))
    return llvm::Error::success();
  return llvm::createStringError(llvm::formatv("tensor '{0}' has {1} {2}; expected {3} for {4}",
                                               leaf.tensor, size, what, type.getNumElements(),
                                               leaf.type)
                                     .str());
}

static llvm::Expected<LeafData> loadChecked(WeightProvider &provider, const moe::Leaf &leaf) {
  auto data = provider.load(leaf);
  if (!data)
    return data;
  auto quantized = llvm::dyn_cast<moe::QTensorType>(leaf.type);
  auto codes = quantized ? quantized.getCodesType() : llvm::cast<mlir::RankedTensorType>(leaf.type);
  if (auto error = checkSize(leaf, "elements", data->values.size(), codes))
    return error;
  if (quantized)
    if (auto error = checkSize(leaf, "scales", data->scales.size(), quantized.getScalesType()))
      return error;
  return data;
}

static llvm::Expected<Tensor> join(moe::WeightOp weight, mlir::RankedTensorType type, bool scales,
                                   const LoadedLeaves &leaves) {
  auto pieces = moe::listPieces(weight, scales);
  if (!pieces)
    return pieces.takeError();
  std::vector<double> data;
  data.reserve(type.getNumElements());
  for (const moe::Piece &piece : *pieces) {
    const LeafData &leaf = leaves.find(piece.tensor)->second;
    auto begin = (scales ? leaf.scales : leaf.values).begin() + piece.firstElement;
    data.insert(data.end(), begin, begin + piece.numElements);
  }
  return Tensor(type.getShape(), std::move(data));
}

llvm::Expected<Value> WeightStore::assemble(moe::WeightOp weight) {
  if (auto table = llvm::dyn_cast<moe::RopeTableAttr>(weight.getRecipe())) {
    auto values = moe::computeRopeTable(table.getRope(), table.getPositions());
    return Tensor(moe::getShape(weight.getType()), {values.begin(), values.end()});
  }
  auto list = moe::listLeaves(weight);
  if (!list)
    return list.takeError();
  LoadedLeaves leaves;
  for (const moe::Leaf &leaf : *list) {
    auto data = loadChecked(provider, leaf);
    if (!data)
      return data.takeError();
    leaves[leaf.tensor] = std::move(*data);
  }
  auto quantized = llvm::dyn_cast<moe::QTensorType>(weight.getType());
  if (!quantized)
    return join(weight, llvm::cast<mlir::RankedTensorType>(weight.getType()), false, leaves);
  auto codes = join(weight, quantized.getCodesType(), false, leaves);
  if (!codes)
    return codes.takeError();
  auto scales = join(weight, quantized.getScalesType(), true, leaves);
  if (!scales)
    return scales.takeError();
  auto block = quantized.getScheme().getBlock();
  return Quantized{std::move(*codes), std::move(*scales), {block[0], block[1]}};
}

llvm::Expected<ValuePtr> WeightStore::get(moe::WeightOp weight) {
  ValuePtr &value = kept[{weight.getRecipe(), weight.getType()}];
  if (!value) {
    auto assembled = assemble(weight);
    if (!assembled)
      return assembled.takeError();
    value = share(std::move(*assembled));
  }
  return value;
}
