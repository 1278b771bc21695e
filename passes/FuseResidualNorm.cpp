// Residual sum and the norm that reads it, with the quantization of the result
// when there is one. The sum stays a result: the next residual reads it.
#include "passes/Fusion.h"
#include "passes/Passes.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSERESIDUALNORM
#include "passes/Passes.h.inc"

namespace {

/// Adds `sum` and the sums that feed nothing but it (the shared experts' part).
bool addSums(Fusion &fusion, moe::AddOp sum) {
  if (!fusion.addProducer(sum))
    return false;
  for (Value operand : sum->getOperands())
    if (auto inner = getProducer<moe::AddOp>(operand, sum); inner && operand.hasOneUse())
      addSums(fusion, inner);
  return true;
}

struct FuseResidualNorm : impl::FuseResidualNormBase<FuseResidualNorm> {
  void runOnOperation() override {
    auto visit = [&](moe::RmsNormOp norm, const kern::TargetModel &target) {
      auto sum = getProducer<moe::AddOp>(norm.getX(), norm);
      if (!sum)
        return;
      Fusion fusion(norm, kern::Hero::Rows, target, getArgument());
      if (!addSums(fusion, sum))
        return;
      if (auto quantize = getConsumer<moe::QuantizeOp>(norm.getResult()))
        fusion.addConsumer(quantize);
      fusion.commit();
    };
    if (failed(forEachUngrouped<moe::RmsNormOp>(getOperation(), visit)))
      signalPassFailure();
  }
};

} // namespace
} // namespace moec::passes
