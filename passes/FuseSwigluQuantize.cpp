// swiglu and the quantization of its result: one pass over the row.
#include "passes/Fusion.h"
#include "passes/Passes.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSESWIGLUQUANTIZE
#include "passes/Passes.h.inc"

namespace {

struct FuseSwigluQuantize : impl::FuseSwigluQuantizeBase<FuseSwigluQuantize> {
  void runOnOperation() override {
    auto visit = [&](moe::SwigluOp swiglu, const kern::TargetModel &target) {
      auto quantize = getConsumer<moe::QuantizeOp>(swiglu.getResult());
      if (!quantize)
        return;
      Fusion fusion(swiglu, kern::Hero::Rows, target, getArgument());
      fusion.addConsumer(quantize);
      fusion.commit();
    };
    if (failed(forEachUngrouped<moe::SwigluOp>(getOperation(), visit)))
      signalPassFailure();
  }
};

} // namespace
} // namespace moec::passes
