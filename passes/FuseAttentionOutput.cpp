// Attention and what follows it in its kernel: over latents the value up-projection and the
// quantization of its result, over expanded values the quantization alone. The context of a head
// then never goes through memory, but each token reads the up-projection anew: that pays when
// tokens are few, so the cost model decides.
#include "passes/CostModel.h"
#include "passes/Fusion.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSEATTENTIONOUTPUT
#include "passes/Passes.h.inc"

namespace {

/// Why one kernel would be slower than two, or nothing.
std::string refuseCost(moe::LatentAttentionOp attention, moe::HeadLinearOp product,
                       const CostModel &model) {
  const kern::TargetRates &rates = model.getRates();
  uint64_t tokens = model.countRows(attention.getResult());
  double weight = double(getReadBytes(product)),
         context = 2.0 * double(moe::getBytes(attention.getResult().getType(), 1));
  double again = double(tokens - 1) * weight / rates.bytesPerSecond;
  double saved = rates.secondsPerLaunch + double(tokens) * context / rates.bytesPerSecond;
  if (again <= saved)
    return "";
  return llvm::formatv("each of {0} tokens would read {1} bytes of weight anew, {2}; a launch and "
                       "the context's way through memory save {3}",
                       tokens, uint64_t(weight), formatSeconds(again), formatSeconds(saved));
}

struct FuseAttentionOutput : impl::FuseAttentionOutputBase<FuseAttentionOutput> {
  void runOnOperation() override {
    auto latent = [&](ArrayRef<moe::LatentAttentionOp> attentions, CostModel &cost,
                      const kern::TargetModel &target) {
      for (moe::LatentAttentionOp attention : attentions)
        fuseProduct(attention, cost, target);
    };
    auto expanded = [&](moe::MlaAttentionOp attention, const kern::TargetModel &target) {
      Fusion fusion(attention, kern::Hero::Attention, target, getArgument());
      if (auto quantize = getConsumer<moe::QuantizeOp>(attention.getResult()))
        fusion.addConsumer(quantize);
      fusion.commit();
    };
    ModuleOp module = getOperation();
    if (failed(forEachFunctionWith<moe::LatentAttentionOp>(module, latent)) ||
        failed(forEachUngrouped<moe::MlaAttentionOp>(module, expanded)))
      signalPassFailure();
  }

  void fuseProduct(moe::LatentAttentionOp attention, const CostModel &cost,
                   const kern::TargetModel &target) {
    auto product = getConsumer<moe::HeadLinearOp>(attention.getResult());
    if (!product)
      return;
    if (!attention->hasOneUse())
      return reportRefusal(attention, getArgument(), "the context is used by another op too");
    if (std::string reason = refuseCost(attention, product, cost); !reason.empty())
      return reportRefusal(attention, getArgument(), reason);
    Fusion fusion(attention, kern::Hero::Attention, target, getArgument());
    if (!fusion.addConsumer(product))
      return;
    if (auto quantize = getConsumer<moe::QuantizeOp>(product.getResult()))
      fusion.addConsumer(quantize);
    fusion.commit();
  }
};

} // namespace
} // namespace moec::passes
