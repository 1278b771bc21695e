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
      auto sum = getConsumer<moe::AddOp>(linear.getResult());
      if (!sum)
        return;
      if (!linear->hasOneUse())
        return reportRefusal(linear, getArgument(), "another op reads the product too");
      Fusion fusion(linear, kern::Hero::Matmul, target, getArgument());
      // A sum that only the next one reads (the shared experts' part) is no result of its own.
      while (sum && fusion.addConsumer(sum))
        sum = sum->hasOneUse() ? getConsumer<moe::AddOp>(sum.getResult()) : moe::AddOp();
      fusion.commit();
    };
    if (failed(forEachUngrouped<moe::LinearOp>(getOperation(), visit)))
      signalPassFailure();
  }
};

} // namespace
} // namespace moec::passes
