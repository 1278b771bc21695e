// A norm and the quantization of its result: one pass over the row.
#include "passes/Fusion.h"
#include "passes/Passes.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSENORMQUANTIZE
#include "passes/Passes.h.inc"

namespace {

struct FuseNormQuantize : impl::FuseNormQuantizeBase<FuseNormQuantize> {
  void runOnOperation() override {
    auto visit = [&](moe::RmsNormOp norm, const kern::TargetModel &target) {
      auto quantize = getConsumer<moe::QuantizeOp>(norm.getResult());
      if (!quantize)
        return;
      Fusion fusion(norm, kern::Hero::Rows, target, getArgument());
      fusion.addConsumer(quantize);
      fusion.commit();
    };
    if (failed(forEachUngrouped<moe::RmsNormOp>(getOperation(), visit)))
      signalPassFailure();
  }
};

} // namespace
} // namespace moec::passes
