// A norm of few rows and the product that alone reads it: each tile of the product normalises the
// rows itself, and there is one launch less.
#include "dialects/kern/TargetModel.h"
#include "passes/Fusion.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "passes/RowAnalysis.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSENORMMATMUL
#include "passes/Passes.h.inc"

namespace {

/// The norm that `group` consists of, or null.
moe::RmsNormOp getOnlyNorm(kern::GroupOp group) {
  SmallVector<Operation *> ops = getOps(group);
  return ops.size() == 1 ? dyn_cast<moe::RmsNormOp>(ops.front()) : moe::RmsNormOp();
}

/// The linear that alone reads the result of `group` as its rows, or null.
moe::LinearOp getOnlyLinear(kern::GroupOp group) {
  Value result = group.getResult(0);
  if (!result.hasOneUse())
    return {};
  OpOperand &use = *result.use_begin();
  auto linear = dyn_cast<moe::LinearOp>(use.getOwner());
  auto around = linear ? dyn_cast<kern::GroupOp>(linear->getParentOp()) : kern::GroupOp();
  bool isProduct = around && around.getHero() == kern::Hero::Matmul;
  return isProduct && linear.getX() == result ? linear : moe::LinearOp();
}

struct FuseNormMatmul : impl::FuseNormMatmulBase<FuseNormMatmul> {
  void runOnOperation() override {
    const kern::TargetModel *target = kern::getTarget(getOperation());
    if (!target)
      return signalPassFailure();
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && failed(fuseIn(function, *target)))
        return signalPassFailure();
  }

  LogicalResult fuseIn(func::FuncOp function, const kern::TargetModel &target) {
    auto bounds = function->getAttrOfType<kern::BoundsAttr>(kBoundsAttr);
    if (!bounds)
      return success(); // nobody says how many rows there are
    FailureOr<RowAnalysis> analysis = RowAnalysis::compute(function);
    if (failed(analysis))
      return failure();
    SmallVector<kern::GroupOp> groups(function.getOps<kern::GroupOp>());
    for (kern::GroupOp group : groups) {
      moe::RmsNormOp norm = getOnlyNorm(group);
      moe::LinearOp linear = norm ? getOnlyLinear(group) : moe::LinearOp();
      if (!linear)
        continue;
      Value rows = group.getResult(0);
      uint64_t count = countRows(analysis->getRows(rows), rows.getType(), bounds.getSizes());
      if (std::optional<std::string> reason = target.refuseNormPrologue(norm, linear, count)) {
        reportRefusal(linear, getArgument(), *reason);
        continue;
      }
      fuse(group, norm, linear);
    }
    return success();
  }

  void fuse(kern::GroupOp group, moe::RmsNormOp norm, moe::LinearOp linear) {
    norm->moveBefore(linear->getBlock(), linear->getBlock()->begin());
    group.getResult(0).replaceAllUsesWith(norm.getResult());
    group.erase();
    reportSuccess(linear, getArgument(), "fused the norm of its rows");
  }
};

} // namespace
} // namespace moec::passes
