#include "codegen/tools/moec/RemarkLog.h"

#include "dialects/moe/MoeDialect.h"
#include "passes/Fusion.h"
#include "passes/Remarks.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;
using namespace moec;
namespace remark = mlir::remark;

StringRef moec::layerKindText(LayerKind kind) {
  switch (kind) {
  case LayerKind::Dense:
    return "dense layers";
  case LayerKind::Moe:
    return "MoE layers";
  case LayerKind::Outside:
    return "outside of layers";
  }
  return "";
}

StringRef moec::getLayer(StringRef place) {
  size_t begin = 0;
  while (begin < place.size()) {
    size_t end = std::min(place.find('.', begin), place.size());
    if (begin && end > begin && all_of(place.slice(begin, end), isDigit))
      return place.take_front(end);
    begin = end + 1;
  }
  return "";
}

//===----------------------------------------------------------------------===//
// RemarkLog
//===----------------------------------------------------------------------===//

namespace {
struct Streamer : remark::detail::MLIRRemarkStreamerBase {
  explicit Streamer(RemarkLog &log) : log(log) {}

  void streamOptimizationRemark(const remark::detail::Remark &remark) override {
    LoggedRemark logged;
    logged.outcome = outcomeText(remark.getRemarkType()).str();
    logged.pass = remark.getCategoryName().str();
    logged.place = passes::getLabel(remark.getLocation());
    if (StringRef function = remark.getFunction();
        !function.starts_with("<")) // "<unknown function>"
      logged.function = function.str();
    for (const remark::detail::Remark::Arg &arg : remark.getArgs()) {
      if (arg.key == passes::kRemarkOp)
        logged.op = arg.val;
      else
        logged.text += (logged.text.empty() ? "" : "; ") + arg.val;
    }
    log.add(std::move(logged));
  }

  static StringRef outcomeText(remarks::Type type) {
    switch (type) {
    case remarks::Type::Passed:
      return "passed";
    case remarks::Type::Missed:
      return "missed";
    case remarks::Type::Failure:
      return "failed";
    default:
      return "analysis";
    }
  }

  RemarkLog &log;
};
} // namespace

Error RemarkLog::collectFrom(mlir::MLIRContext &context) {
  remark::RemarkCategories everything;
  everything.passed = everything.missed = everything.failed = everything.analysis = ".*";
  if (mlir::failed(remark::enableOptimizationRemarks(
          context, std::make_unique<Streamer>(*this),
          std::make_unique<remark::RemarkEmittingPolicyAll>(), everything)))
    return createStringError("remarks cannot be collected");
  return Error::success();
}

void RemarkLog::readLayers(mlir::ModuleOp module) {
  module.walk([&](mlir::Operation *op) {
    std::string place = passes::getLabel(op->getLoc());
    StringRef layer = getLayer(place);
    if (layer.empty())
      return;
    LayerKind &kind = layers.try_emplace(layer, LayerKind::Dense).first->second;
    if (isa<moe::GateOp, moe::ExpertsOp>(op))
      kind = LayerKind::Moe;
  });
}

LayerKind RemarkLog::getKind(StringRef place) const {
  auto found = layers.find(getLayer(place));
  return found == layers.end() ? LayerKind::Outside : found->second;
}

unsigned RemarkLog::countLayers(LayerKind kind) const {
  StringSet<> seen;
  for (const LoggedRemark &remark : remarks)
    if (getKind(remark.place) == kind)
      seen.insert(getLayer(remark.place));
  return seen.size();
}
