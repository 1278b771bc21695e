// The experts' gates, what they gate, SwiGLU and its quantization: one kernel.
#include "passes/GatedProduct.h"
#include "passes/Passes.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSEGROUPEDSWIGLU
#include "passes/Passes.h.inc"

namespace {

struct FuseGroupedSwiglu : impl::FuseGroupedSwigluBase<FuseGroupedSwiglu> {
  void runOnOperation() override {
    auto visit = [&](moe::SwigluOp swiglu, const kern::TargetModel &target) {
      fuseGatedProduct<moe::GroupedLinearOp>(swiglu, kern::Hero::GroupedMatmul, target,
                                             getArgument());
    };
    if (failed(forEachUngrouped<moe::SwigluOp>(getOperation(), visit)))
      signalPassFailure();
  }
};

} // namespace
} // namespace moec::passes
