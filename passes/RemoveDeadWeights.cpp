// Removes params nobody reads and weights nobody names.
#include "passes/Passes.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_REMOVEDEADWEIGHTS
#include "passes/Passes.h.inc"

namespace {

struct RemoveDeadWeights : impl::RemoveDeadWeightsBase<RemoveDeadWeights> {
  void runOnOperation() override {
    SmallVector<moe::ParamOp> params;
    getOperation().walk([&](moe::ParamOp param) { params.push_back(param); });
    DenseSet<StringAttr> used;
    for (moe::ParamOp param : params) {
      if (param.use_empty())
        param.erase();
      else
        used.insert(param.getWeightAttr().getAttr());
    }
    for (auto weight : llvm::make_early_inc_range(getOperation().getOps<moe::WeightOp>()))
      if (!used.contains(weight.getSymNameAttr()))
        weight.erase();
  }
};

} // namespace
} // namespace moec::passes
