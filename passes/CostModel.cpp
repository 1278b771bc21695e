#include "passes/CostModel.h"

#include "passes/Passes.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

FailureOr<CostModel> CostModel::get(func::FuncOp function, const kern::TargetModel &target) {
  FailureOr<RowAnalysis> rows = RowAnalysis::compute(function);
  if (failed(rows))
    return failure();
  auto bounds = function->getAttrOfType<kern::BoundsAttr>(kBoundsAttr);
  if (!bounds)
    bounds = kern::BoundsAttr::get(function.getContext(), 1, 1, 1, 1);
  return CostModel(std::move(*rows), bounds, target.getRates());
}

KernelCost CostModel::getCost(ArrayRef<Operation *> ops) const {
  return passes::getCost(ops, rows, bounds);
}

double CostModel::getSeconds(const KernelCost &cost, double share) const {
  double bytes = double(cost.bytes) + double(cost.contextBytes) *
                                          double(bounds.getContextLength()) *
                                          double(bounds.getSequences());
  return std::max(bytes / (rates.bytesPerSecond * share),
                  double(cost.flops) / (rates.flopsPerSecond * share));
}

double CostModel::getRowSeconds(uint64_t rowFlops, uint64_t rows, double workers) const {
  double inTurn = std::ceil(double(rows) / std::min(workers, rates.workers));
  return inTurn * double(rowFlops) / rates.rowFlopsPerSecond;
}

std::optional<std::string> CostModel::refuseFewTiles(ArrayRef<Operation *> ops,
                                                     uint64_t tiles) const {
  double share = std::min(1.0, double(tiles) / rates.workers);
  double together = rates.secondsPerLaunch + getSeconds(getCost(ops), share), apart = 0;
  for (Operation *op : ops)
    apart += rates.secondsPerLaunch + getSeconds(getCost({op}));
  if (together <= apart)
    return std::nullopt;
  return llvm::formatv("{0} tiles for {1} workers take {2}, {3} kernels take {4}", tiles,
                       uint64_t(rates.workers), formatSeconds(together), ops.size(),
                       formatSeconds(apart))
      .str();
}

std::optional<std::string> CostModel::refuseRowEpilogue(const KernelCost &cost,
                                                        uint64_t rows) const {
  uint64_t flops = cost.flops / std::max<uint64_t>(rows, 1);
  double apart = rates.secondsPerLaunch + getRowSeconds(flops, rows, rates.workers);
  double fused = getRowSeconds(flops, rows, /*workers=*/1);
  if (fused <= apart)
    return std::nullopt;
  return llvm::formatv("{0} rows by one worker take {1}, in a launch of their own {2}", rows,
                       formatSeconds(fused), formatSeconds(apart))
      .str();
}

uint64_t CostModel::countRows(Value value) const {
  return passes::countRows(rows.getRows(value), value.getType(), bounds.getSizes());
}

std::string moec::passes::formatSeconds(double seconds) {
  return llvm::formatv("{0:F1} us", seconds * 1e6).str();
}
