// Row-wise groups behind the group whose rows they read. Behind other row-wise ops that saves a
// launch. Behind a product the tile that finishes a block of rows computes them: the other workers
// wait meanwhile.
#include "passes/CostModel.h"
#include "passes/Fusion.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSEROWEPILOGUE
#include "passes/Passes.h.inc"

namespace {

/// The group of `group`'s block that makes what `value` is, or is a slice of.
kern::GroupOp getProducerGroup(Value value, kern::GroupOp group) {
  while (auto slice = value.getDefiningOp<moe::SliceOp>())
    value = slice.getX();
  auto producer = value.getDefiningOp<kern::GroupOp>();
  return producer && producer->getBlock() == group->getBlock() ? producer : kern::GroupOp();
}

/// What others' rows may be put behind.
bool makesRows(kern::GroupOp group) {
  return isRowGroup(group) || hasHero(group, {kern::Hero::Matmul, kern::Hero::GroupedMatmul});
}

/// What can stand behind rows: row-wise ops, and the sorting of choices made in them.
bool canFollowRows(kern::GroupOp group) {
  if (!isRowGroup(group) && !hasHero(group, {kern::Hero::Routing, kern::Hero::Permutation}))
    return false;
  return llvm::none_of(getOps(group), [](Operation *op) { return isa<moe::LinearOp>(op); });
}

struct FuseRowEpilogue : impl::FuseRowEpilogueBase<FuseRowEpilogue> {
  void runOnOperation() override {
    auto visitAll = [&](ArrayRef<kern::GroupOp> groups, CostModel &cost,
                        const kern::TargetModel &target) {
      for (kern::GroupOp group : groups)
        if (canFollowRows(group))
          visit(group, cost, target);
    };
    if (failed(forEachFunctionWith<kern::GroupOp>(getOperation(), visitAll)))
      signalPassFailure();
  }

  void visit(kern::GroupOp group, CostModel &cost, const kern::TargetModel &target) {
    llvm::SmallSetVector<Operation *, 2> producers;
    group.getBody().walk([&](Operation *op) {
      for (Value operand : op->getOperands())
        if (kern::GroupOp producer = getProducerGroup(operand, group))
          producers.insert(producer);
    });
    std::optional<std::string> reason;
    for (Operation *producer : llvm::reverse(producers)) {
      auto first = cast<kern::GroupOp>(producer);
      if (!makesRows(first))
        continue;
      std::optional<std::string> refused = refuse(first, group, cost, target);
      if (!refused && fuse(first, group, cost))
        return;
      if (!reason)
        reason =
            refused ? *refused : "it also depends on what is computed from these rows elsewhere";
    }
    if (reason)
      reportRefusal(group, getArgument(), *reason);
  }

  /// Why `group` cannot be, or should not be, put behind `first`; nothing when it can.
  std::optional<std::string> refuse(kern::GroupOp first, kern::GroupOp group, const CostModel &cost,
                                    const kern::TargetModel &target) {
    Attribute rows = cost.rows.getRows(first.getResult(0));
    uint64_t numRows = cost.countRows(first.getResult(0));
    for (Operation *op : getOps(group)) {
      if (auto reason = isRowGroup(first)
                            ? target.refuseFusion(kern::Hero::Rows, op, /*before=*/false)
                            : target.refuseRowEpilogue(*first.getHero(), op, numRows))
        return reason;
      if (auto reason = refuseToMove(op))
        return reason;
      for (Value result : op->getResults())
        if (!isa<moe::CacheType>(result.getType()) && !isa<moe::PermuteOp>(op) &&
            cost.rows.getRows(result) != rows)
          return std::string("it has other rows than what it reads");
    }
    if (isRowGroup(first))
      return std::nullopt; // the same workers, and a launch less
    return cost.refuseRowEpilogue(cost.getCost(getOps(group)), numRows);
  }

  bool fuse(kern::GroupOp first, kern::GroupOp group, CostModel &cost) {
    kern::GroupOp fused = appendGroup(first, group);
    if (!fused)
      return false;
    cost.rows.addResults(fused);
    reportSuccess(fused, getArgument(), "put row-wise ops behind the rows they read");
    return true;
  }
};

} // namespace
} // namespace moec::passes
