// The router's linear and the choice of experts in one kernel. Two ways: a product whose last tile
// chooses, so that all workers share the router's weight; or whole rows by each worker, when there
// are many.
#include "passes/CostModel.h"
#include "passes/Fusion.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSEROUTER
#include "passes/Passes.h.inc"

namespace {

struct FuseRouter : impl::FuseRouterBase<FuseRouter> {
  void runOnOperation() override {
    auto visitAll = [&](ArrayRef<moe::GateOp> gates, CostModel &cost,
                        const kern::TargetModel &target) {
      for (moe::GateOp gate : gates)
        visit(gate, cost, target);
    };
    if (failed(forEachFunctionWith<moe::GateOp>(getOperation(), visitAll)))
      signalPassFailure();
  }

  void visit(moe::GateOp gate, const CostModel &cost, const kern::TargetModel &target) {
    auto linear = getProducer<moe::LinearOp>(gate.getLogits(), gate);
    if (!linear)
      return reportRefusal(gate, getArgument(), "the logits are not made by a moe.linear");
    if (!linear->hasOneUse())
      return reportRefusal(gate, getArgument(), "the logits are used by another op too");
    if (!refuseProduct(linear, gate, cost, target)) {
      kern::GroupOp product = createGroup({linear}, linear, kern::Hero::Matmul);
      kern::GroupOp choice = createGroup({gate}, gate, kern::Hero::Routing);
      reportSuccess(appendGroup(product, choice), getArgument(), "the product's last tile chooses");
      return;
    }
    Fusion fusion(gate, kern::Hero::Routing, target, getArgument());
    fusion.addProducer(linear);
    fusion.commit();
  }

  /// Why the gate is not to be the row epilogue of the product.
  static std::optional<std::string> refuseProduct(moe::LinearOp linear, moe::GateOp gate,
                                                  const CostModel &cost,
                                                  const kern::TargetModel &target) {
    uint64_t rows = cost.countRows(linear);
    if (auto reason = target.refuseRowEpilogue(kern::Hero::Matmul, gate, rows))
      return reason;
    const kern::TargetRates &rates = cost.getRates();
    KernelCost product = cost.getCost({linear.getOperation()}),
               choice = cost.getCost({gate.getOperation()});
    double chooses = double(choice.flops) / rates.rowFlopsPerSecond;
    double shared = cost.getSeconds(product) + chooses;
    // By rows, a worker multiplies and chooses for its rows; workers without a row wait.
    double workers = std::min(double(rows), rates.workers);
    double byRows = cost.getSeconds(product, workers / rates.workers) + chooses / workers;
    if (shared <= byRows)
      return std::nullopt;
    return "whole rows by each worker take " + formatSeconds(byRows) + ", the product " +
           formatSeconds(shared);
  }
};

} // namespace
} // namespace moec::passes
