// Row groups that read the same producer become one: the norm of the query's latent
// and the making of the cache row both read the merged down-projection.
#include "passes/CostModel.h"
#include "passes/Fusion.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSESIBLINGROWS
#include "passes/Passes.h.inc"

namespace {

/// The row count that the group's ops share: of its first result, or of the rows that it appends.
Attribute getRows(kern::GroupOp group, const RowAnalysis &analysis) {
  Operation *yield = group.getBody().front().getTerminator();
  for (Value value : yield->getOperands()) {
    auto append = value.getDefiningOp<moe::CacheAppendOp>();
    if (Attribute rows = analysis.getRows(append ? append.getRows() : value);
        isa_and_present<kern::RowsAttr>(rows))
      return rows;
  }
  return {};
}

/// The ops of the block, seen through slices, whose rows the group reads.
llvm::SmallSetVector<Operation *, 4> getProducers(kern::GroupOp group) {
  llvm::SmallSetVector<Operation *, 4> producers;
  for (Operation &op : group.getBody().front())
    for (Value operand : op.getOperands()) {
      while (auto slice = operand.getDefiningOp<moe::SliceOp>())
        operand = slice.getX();
      Operation *def = operand.getDefiningOp();
      bool hasRows = !isa<moe::CacheType>(operand.getType()) &&
                     ShapedType::isDynamic(moe::getShape(operand.getType())[0]);
      if (def && def->getBlock() == group->getBlock() && hasRows)
        producers.insert(def);
    }
  return producers;
}

struct FuseSiblingRows : impl::FuseSiblingRowsBase<FuseSiblingRows> {
  void runOnOperation() override {
    auto joinAll = [&](ArrayRef<kern::GroupOp> groups, CostModel &cost,
                       const kern::TargetModel &target) {
      joinSiblings(groups, cost.rows, target);
    };
    if (failed(forEachFunctionWith<kern::GroupOp>(getOperation(), joinAll)))
      signalPassFailure();
  }

  /// The group that others join which read `producer` and have as many rows.
  struct First {
    Operation *producer;
    Attribute rows;
    kern::GroupOp group;
  };

  void joinSiblings(ArrayRef<kern::GroupOp> groups, RowAnalysis &analysis,
                    const kern::TargetModel &target) {
    SmallVector<First> firsts;
    for (kern::GroupOp group : groups) {
      Attribute rows = isRowGroup(group) ? getRows(group, analysis) : Attribute();
      if (!rows)
        continue;
      auto producers = getProducers(group);
      auto isSibling = [&](const First &first) {
        return first.rows == rows && producers.contains(first.producer);
      };
      kern::GroupOp joined;
      for (const First &first : firsts) {
        if (isSibling(first))
          joined = join(first.group, group, analysis, target);
        if (joined) {
          replace(firsts, first.group, group, joined);
          break;
        }
      }
      for (Operation *producer : producers)
        firsts.push_back({producer, rows, joined ? joined : group});
    }
  }

  /// `joined` takes the place of two groups that are gone.
  static void replace(SmallVector<First> &firsts, Operation *one, Operation *other,
                      kern::GroupOp joined) {
    for (First &first : firsts) {
      if (first.group == one)
        first.group = joined;
      if (first.producer == one || first.producer == other)
        first.producer = joined;
    }
  }

  /// The group that the two became, or null with a remark.
  kern::GroupOp join(kern::GroupOp first, kern::GroupOp second, RowAnalysis &analysis,
                     const kern::TargetModel &target) {
    for (kern::GroupOp group : {first, second})
      for (Operation *op : getOps(group)) {
        auto reason = target.refuseFusion(kern::Hero::Rows, op, /*before=*/false);
        if (!reason)
          reason = refuseToMove(op);
        if (reason)
          return reportRefusal(op, getArgument(), *reason), kern::GroupOp();
      }
    for (Operation *user : first->getUsers())
      if (second->isAncestor(user))
        return reportRefusal(second, getArgument(), "it reads what its sibling computes"),
               kern::GroupOp();
    kern::GroupOp joined = joinGroups(first, second, kern::Hero::Rows);
    if (!joined)
      return reportRefusal(second, getArgument(),
                           "it depends on what is computed from its sibling"),
             kern::GroupOp();
    analysis.addResults(joined);
    reportSuccess(joined, getArgument(), "joined two groups");
    return joined;
  }
};

} // namespace
} // namespace moec::passes
