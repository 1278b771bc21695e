// One fusion being tried: the hero, and the ops that a pass wants in its
// group. Each op is asked of the target; a refusal becomes a remark and the
// group goes on without that op.
#pragma once

#include "dialects/kern/KernDialect.h"
#include "dialects/kern/TargetModel.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace moec::passes {

class Fusion {
public:
  /// `pass` is the category of the remarks.
  Fusion(mlir::Operation *heroOp, kern::Hero hero, const kern::TargetModel &target,
         llvm::StringRef pass)
      : heroOp(heroOp), hero(hero), target(target), pass(pass), ops{heroOp} {}

  /// Asks for an op that feeds the hero, or that the hero feeds. False when refused.
  bool addProducer(mlir::Operation *op) { return add(op, /*before=*/true); }
  bool addConsumer(mlir::Operation *op) { return add(op, /*before=*/false); }

  /// Takes the sum that the result of `op` goes into, and the sums behind it, as long as nothing
  /// else reads them and none is refused.
  void addSumsBehind(mlir::Operation *op);

  /// Makes the group of the ops taken so far. Null, with a remark, when there is
  /// nothing but the hero or the ops cannot stand in one place.
  kern::GroupOp commit();

private:
  bool add(mlir::Operation *op, bool before);

  mlir::Operation *heroOp;
  kern::Hero hero;
  const kern::TargetModel &target;
  llvm::StringRef pass;
  llvm::SmallVector<mlir::Operation *, 4> ops;
};

/// Moves `ops` of one block into a new group. `heroOp`, one of them, gives location and
/// label. Null when some user of a result comes before an operand of the ops.
kern::GroupOp createGroup(llvm::ArrayRef<mlir::Operation *> ops, mlir::Operation *heroOp,
                          kern::Hero hero);

/// Makes one group of two of a block that do not depend on each other, the ops and results of
/// `first` (which stands first) before those of `second`. Null when they cannot stand in one place.
kern::GroupOp joinGroups(kern::GroupOp first, kern::GroupOp second, kern::Hero hero);

/// Moves the ops of `consumer`, which reads results of `producer`, or slices of them, behind those
/// of `producer`. All results stay results. Null when the two cannot stand in one place.
kern::GroupOp appendGroup(kern::GroupOp producer, kern::GroupOp consumer);

/// The ops of a group, without its terminator.
llvm::SmallVector<mlir::Operation *> getOps(kern::GroupOp group);

/// Whether the group's hero is one of these.
bool hasHero(kern::GroupOp group, llvm::ArrayRef<kern::Hero> heroes);

/// Whether any worker computes the group a row at a time: hero rows or pointwise.
bool isRowGroup(kern::GroupOp group);

/// Why `op` cannot move to where other ops are computed: it appends to a cache whose old contents
/// are read too. Nothing for other ops.
std::optional<std::string> refuseToMove(mlir::Operation *op);

/// The hero of an op that is alone in its group, or nothing when no kernel computes it.
std::optional<kern::Hero> getHero(mlir::Operation *op);

/// The pass that takes `op` out of a function on the way to a program; empty when none does.
llvm::StringRef getResponsiblePass(mlir::Operation *op);

/// What the op's location says about its place in the model, e.g.
/// "layers.3.mlp.gate_proj". Names of a fused location are joined, the parent of
/// neighbours once: "layers.3.mlp.gate_proj+up_proj".
std::string getLabel(mlir::Location loc);

/// Runs `visit` on each `Op` that stands directly in the body of a function of
/// `module`, with the module's target; fails when there is no target.
template <typename Op>
mlir::LogicalResult
forEachUngrouped(mlir::ModuleOp module,
                 llvm::function_ref<void(Op, const kern::TargetModel &)> visit) {
  const kern::TargetModel *target = kern::getTarget(module);
  if (!target)
    return mlir::failure();
  for (auto function : module.getOps<mlir::func::FuncOp>()) {
    if (function.isExternal())
      continue;
    llvm::SmallVector<Op> ops(function.getBody().front().getOps<Op>());
    for (Op op : ops)
      visit(op, *target);
  }
  return mlir::success();
}

/// The op of class `Op` that makes `value` and stands in the same block as `user`, or null.
template <typename Op> Op getProducer(mlir::Value value, mlir::Operation *user) {
  auto op = value.getDefiningOp<Op>();
  return op && op->getBlock() == user->getBlock() ? op : Op();
}

/// The first user of `value` of class `Op` in the block of its producer, or null.
template <typename Op> Op getConsumer(mlir::Value value) {
  for (mlir::Operation *user : value.getUsers())
    if (auto op = llvm::dyn_cast<Op>(user); op && op->getBlock() == value.getParentBlock())
      return op;
  return Op();
}

} // namespace moec::passes
