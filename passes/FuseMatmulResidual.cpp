// A linear and the sums that its result goes into: the product's tile adds what it
// would otherwise write and have read again.
#include "passes/Fusion.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSEMATMULRESIDUAL
#include "passes/Passes.h.inc"

namespace {

struct FuseMatmulResidual : impl::FuseMatmulResidualBase<FuseMatmulResidual> {
  void runOnOperation() override {
    auto visit = [&](moe::LinearOp linear, const kern::TargetModel &target) {
      if (!getConsumer<moe::AddOp>(linear.getResult()))
        return;
      if (!linear->hasOneUse())
        return reportRefusal(linear, getArgument(), "another op reads the product too");
      Fusion fusion(linear, kern::Hero::Matmul, target, getArgument());
      fusion.addSumsBehind(linear);
      fusion.commit();
    };
    if (failed(forEachUngrouped<moe::LinearOp>(getOperation(), visit)))
      signalPassFailure();
  }
};

} // namespace
} // namespace moec::passes
