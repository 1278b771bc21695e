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

/// Bytes of the weight's rows that the product reads.
double getReadBytes(moe::HeadLinearOp product) {
  Type type = product.getWeight().getType();
  double rows = double(product.getHeads()) * double(product.getWSize());
  return double(moe::getBytes(type)) * rows / double(moe::getShape(type)[0]);
}

/// Why one kernel would be slower than two, or nothing.
std::string refuseCost(moe::LatentAttentionOp attention, moe::HeadLinearOp product,
                       const CostModel &model) {
  const kern::TargetRates &rates = model.getRates();
  uint64_t tokens = model.countRows(attention.getResult());
  double weight = getReadBytes(product),
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
    auto latent = [&](moe::LatentAttentionOp attention, const kern::TargetModel &target) {
      fuseProduct(attention, target);
    };
    auto expanded = [&](moe::MlaAttentionOp attention, const kern::TargetModel &target) {
      Fusion fusion(attention, kern::Hero::Attention, target, getArgument());
      if (auto quantize = getConsumer<moe::QuantizeOp>(attention.getResult()))
        fusion.addConsumer(quantize);
      fusion.commit();
    };
    ModuleOp module = getOperation();
    if (failed(forEachUngrouped<moe::LatentAttentionOp>(module, latent)) ||
        failed(forEachUngrouped<moe::MlaAttentionOp>(module, expanded)))
      signalPassFailure();
    models.clear();
  }

  void fuseProduct(moe::LatentAttentionOp attention, const kern::TargetModel &target) {
    auto product = getConsumer<moe::HeadLinearOp>(attention.getResult());
    if (!product)
      return;
    if (!attention->hasOneUse())
      return reportRefusal(attention, getArgument(), "the context is used by another op too");
    const CostModel *model = getModel(attention->getParentOfType<func::FuncOp>(), target);
    if (!model)
      return;
    if (std::string reason = refuseCost(attention, product, *model); !reason.empty())
      return reportRefusal(attention, getArgument(), reason);
    Fusion fusion(attention, kern::Hero::Attention, target, getArgument());
    if (!fusion.addConsumer(product))
      return;
    if (auto quantize = getConsumer<moe::QuantizeOp>(product.getResult()))
      fusion.addConsumer(quantize);
    fusion.commit();
  }

  /// The function's, made at its first op; null, the pass having failed, when there is none.
  const CostModel *getModel(func::FuncOp function, const kern::TargetModel &target) {
    auto [entry, isNew] = models.try_emplace(function, std::nullopt);
    if (isNew) {
      FailureOr<CostModel> model = CostModel::get(function, target);
      if (failed(model))
        signalPassFailure();
      else
        entry->second.emplace(std::move(*model));
    }
    return entry->second ? &*entry->second : nullptr;
  }

  DenseMap<Operation *, std::optional<CostModel>> models;
};

} // namespace
} // namespace moec::passes
