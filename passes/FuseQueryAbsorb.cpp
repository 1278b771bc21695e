// A head's query from its projection to latent space: the linear, the rope and the product with the
// key part of the up-projection. The head's query is short and stays in the kernel; both weights
// are read as often as by kernels of their own, but by as many workers as there are heads at most.
#include "passes/CostModel.h"
#include "passes/Fusion.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSEQUERYABSORB
#include "passes/Passes.h.inc"

namespace {

struct FuseQueryAbsorb : impl::FuseQueryAbsorbBase<FuseQueryAbsorb> {
  void runOnOperation() override {
    auto visit = [&](ArrayRef<moe::HeadLinearOp> products, CostModel &cost,
                     const kern::TargetModel &target) {
      for (moe::HeadLinearOp product : products)
        fuse(product, cost, target);
    };
    if (failed(forEachFunctionWith<moe::HeadLinearOp>(getOperation(), visit)))
      signalPassFailure();
  }

  void fuse(moe::HeadLinearOp product, const CostModel &cost, const kern::TargetModel &target) {
    if (!product.getTransposed())
      return;
    auto rope = getProducer<moe::RopeOp>(product.getX(), product);
    if (!rope)
      return;
    auto linear = getProducer<moe::LinearOp>(rope.getX(), product);
    if (std::string reason = refuse(rope, linear); !reason.empty())
      return reportRefusal(product, getArgument(), reason);
    if (auto reason = cost.refuseFewTiles({linear, rope, product}, product.getHeads()))
      return reportRefusal(product, getArgument(), *reason);
    Fusion fusion(product, kern::Hero::HeadMatmul, target, getArgument());
    if (fusion.addProducer(rope) && fusion.addProducer(linear))
      fusion.commit();
  }

  /// Why nothing can be taken, or nothing.
  static std::string refuse(moe::RopeOp rope, moe::LinearOp linear) {
    if (rope.getX().getDefiningOp<moe::SliceOp>())
      return "the query is a part of a merged linear's result";
    if (!linear)
      return "the query is not made by a linear";
    if (!linear->hasOneUse())
      return "the query before its rope is used by another op too";
    return "";
  }
};

} // namespace
} // namespace moec::passes
