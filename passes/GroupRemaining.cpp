// Gives every op that no fusion took a group of its own, so that all that is
// computed stands in groups. Params and slices stay outside: captures and views.
#include "passes/Fusion.h"
#include "passes/Passes.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_GROUPREMAINING
#include "passes/Passes.h.inc"

namespace {

struct GroupRemaining : impl::GroupRemainingBase<GroupRemaining> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal())
        continue;
      for (Operation &op : llvm::make_early_inc_range(function.getBody().front())) {
        if (!isa<moe::MoeDialect>(op.getDialect()) || isa<moe::ParamOp, moe::SliceOp>(op))
          continue;
        std::optional<kern::Hero> hero = getHero(&op);
        if (!hero)
          return refuse(op);
        createGroup(&op, &op, *hero);
      }
    }
  }

  void refuse(Operation &op) {
    InFlightDiagnostic error = op.emitError() << "no kernel computes '" << op.getName() << "'";
    if (StringRef pass = getResponsiblePass(&op); !pass.empty())
      error << "; run " << pass << " before group-remaining";
    signalPassFailure();
  }
};

} // namespace
} // namespace moec::passes
