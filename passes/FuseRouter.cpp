// The router's linear and the choice of experts: the logits of a row are few,
// so they never leave the kernel.
#include "passes/Fusion.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSEROUTER
#include "passes/Passes.h.inc"

namespace {

struct FuseRouter : impl::FuseRouterBase<FuseRouter> {
  void runOnOperation() override {
    auto visit = [&](moe::GateOp gate, const kern::TargetModel &target) {
      auto linear = getProducer<moe::LinearOp>(gate.getLogits(), gate);
      if (!linear)
        return reportRefusal(gate, getArgument(), "the logits are not made by a moe.linear");
      if (!linear->hasOneUse())
        return reportRefusal(gate, getArgument(), "the logits are used by another op too");
      Fusion fusion(gate, kern::Hero::Routing, target, getArgument());
      fusion.addProducer(linear);
      fusion.commit();
    };
    if (failed(forEachUngrouped<moe::GateOp>(getOperation(), visit)))
      signalPassFailure();
  }
};

} // namespace
} // namespace moec::passes
