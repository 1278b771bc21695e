// The experts' down product, the weighted sum of its slots and the sums that this goes into: one
// kernel, which adds up what it would otherwise write for each slot.
#include "passes/Fusion.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSEDOWNCOMBINE
#include "passes/Passes.h.inc"

namespace {

struct FuseDownCombine : impl::FuseDownCombineBase<FuseDownCombine> {
  void runOnOperation() override {
    auto visit = [&](moe::CombineOp combine, const kern::TargetModel &target) {
      auto linear = getProducer<moe::GroupedLinearOp>(combine.getY(), combine);
      if (!linear)
        return reportRefusal(combine, getArgument(), "no moe.grouped_linear makes its slots");
      if (!linear->hasOneUse())
        return reportRefusal(combine, getArgument(), "another op reads the product too");
      if (linear.getRows())
        return reportRefusal(combine, getArgument(), "the product gathers its rows itself");
      auto permute = combine.getSlots().getDefiningOp<moe::PermuteOp>();
      if (!permute || permute.getOffsets() != linear.getOffsets())
        return reportRefusal(combine, getArgument(),
                             "slots and offsets are not made by one moe.permute");
      Fusion fusion(linear, kern::Hero::GroupedMatmul, target, getArgument());
      if (!fusion.addConsumer(combine))
        return;
      fusion.addSumsBehind(combine);
      if (fusion.commit())
        combine.getRowsMutable().assign(permute.getRows());
    };
    if (failed(forEachUngrouped<moe::CombineOp>(getOperation(), visit)))
      signalPassFailure();
  }
};

} // namespace
} // namespace moec::passes
