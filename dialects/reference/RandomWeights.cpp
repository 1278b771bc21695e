// Weights drawn from a seed.
#include "dialects/reference/Random.h"
#include "dialects/reference/SmallFloat.h"
#include "dialects/reference/Weights.h"

using namespace moec;
using namespace moec::reference;

/// Standard deviation of FP8 codes: most of the range is used, few saturate.
static constexpr double codeDeviation = 64;

LeafData moec::reference::drawQuantized(moe::QTensorType type, double deviation, Random &random) {
  LeafData data;
  mlir::Type storage = type.getScheme().getStorage();
  for (int64_t i = 0; i < type.getCodesType().getNumElements(); ++i) {
    double code = random.normal() * codeDeviation;
    if (storage.isSignlessInteger()) {
      double limit = std::ldexp(1, int(storage.getIntOrFloatBitWidth()) - 1) - 1;
      code = std::nearbyint(std::clamp(code * limit / (4 * codeDeviation), -limit, limit));
    }
    data.values.push_back(roundTo(storage, code));
  }
  for (int64_t i = 0; i < type.getScalesType().getNumElements(); ++i)
    data.scales.push_back(
        roundTo(type.getScheme().getScale(), deviation / codeDeviation * (0.5 + random.uniform())));
  return data;
}

llvm::Expected<LeafData> RandomWeights::load(const moe::Leaf &leaf) {
  Random random(seed, leaf.tensor);
  llvm::ArrayRef<int64_t> shape = moe::getShape(leaf.type);
  bool isVector = shape.size() == 1, isBias = llvm::StringRef(leaf.tensor).ends_with("bias");
  double deviation = isVector ? 0.1 : 1 / std::sqrt(double(shape.back()));
  double mean = isVector && !isBias ? 1 : 0;
  if (auto quantized = llvm::dyn_cast<moe::QTensorType>(leaf.type))
    return drawQuantized(quantized, deviation, random);
  auto type = llvm::cast<mlir::RankedTensorType>(leaf.type);
  LeafData data;
  for (int64_t i = 0; i < type.getNumElements(); ++i)
    data.values.push_back(roundTo(type.getElementType(), mean + deviation * random.normal()));
  return data;
}
