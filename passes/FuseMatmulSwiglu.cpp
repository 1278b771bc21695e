// A dense feed-forward's gates, what they gate, SwiGLU and its quantization: one kernel.
#include "passes/GatedProduct.h"
#include "passes/Passes.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSEMATMULSWIGLU
#include "passes/Passes.h.inc"

namespace {

struct FuseMatmulSwiglu : impl::FuseMatmulSwigluBase<FuseMatmulSwiglu> {
  void runOnOperation() override {
    auto visit = [&](moe::SwigluOp swiglu, const kern::TargetModel &target) {
      fuseGatedProduct<moe::LinearOp>(swiglu, kern::Hero::Matmul, target, getArgument());
    };
    if (failed(forEachUngrouped<moe::SwigluOp>(getOperation(), visit)))
      signalPassFailure();
  }
};

} // namespace
} // namespace moec::passes
