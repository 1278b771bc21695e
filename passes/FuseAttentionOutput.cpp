// Attention and what follows it in its kernel: over latents the value up-projection and the
// quantization of its result, over values the quantization alone. The context of a head
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
  // A tile has one head at least, so few heads leave workers idle.
  double share = std::min(1.0, double(tokens * attention.getHeads()) / rates.workers);
  double once = weight / rates.bytesPerSecond, together = double(tokens) * once / share;
  double saved = rates.secondsPerLaunch + double(tokens) * context / rates.bytesPerSecond;
  if (together <= once + saved)
    return "";
  return llvm::formatv("{0} heads of {1} tokens read {2} bytes of weight for each token in {3}, a "
                       "product of its own in {4}; a launch and the context's way through memory "
                       "save {5}",
                       attention.getHeads(), tokens, uint64_t(weight), formatSeconds(together),
                       formatSeconds(once), formatSeconds(saved));
}

struct FuseAttentionOutput : impl::FuseAttentionOutputBase<FuseAttentionOutput> {
  void runOnOperation() override {
    auto latent = [&](ArrayRef<moe::LatentAttentionOp> attentions, CostModel &cost,
                      const kern::TargetModel &target) {
      for (moe::LatentAttentionOp attention : attentions)
        fuseProduct(attention, cost, target);
    };
    auto overValues = [&](auto attention, const kern::TargetModel &target) {
      fuseQuantize(attention, attention.getResult(), target);
    };
    ModuleOp module = getOperation();
    if (failed(forEachFunctionWith<moe::LatentAttentionOp>(module, latent)) ||
        failed(forEachUngrouped<moe::MlaAttentionOp>(module, overValues)) ||
        failed(forEachUngrouped<moe::AttentionOp>(module, overValues)))
      signalPassFailure();
  }

  void fuseQuantize(Operation *attention, Value result, const kern::TargetModel &target) {
    Fusion fusion(attention, kern::Hero::Attention, target, getArgument());
    if (auto quantize = getConsumer<moe::QuantizeOp>(result))
      fusion.addConsumer(quantize);
    fusion.commit();
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
