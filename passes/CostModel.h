// What ops cost as one kernel, by the roofline: a launch, then the longer of moving the bytes and
// computing the flops, at the target's rates. Fusions that compete with something (recomputation,
// fewer workers, reuse) ask it; those that only save traffic need not.
#pragma once

#include "dialects/kern/TargetModel.h"
#include "passes/KernelCost.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace moec::passes {

class CostModel {
public:
  /// For the function's `kern.bounds`; without them, for one token with the shortest context. Fails
  /// with an error where a row count cannot be told.
  static mlir::FailureOr<CostModel> get(mlir::func::FuncOp function,
                                        const kern::TargetModel &target);

  kern::BoundsAttr getBounds() const { return bounds; }
  const kern::TargetRates &getRates() const { return rates; }

  /// Bytes and flops of these ops of the function as one kernel.
  KernelCost getCost(llvm::ArrayRef<mlir::Operation *> ops) const;

  /// Seconds of so much work by a share of the workers, without a launch.
  double getSeconds(const KernelCost &cost, double share = 1) const;

  /// Seconds of row-wise ops over `rows` rows by `workers` workers at most, without a launch.
  double getRowSeconds(uint64_t rowFlops, uint64_t rows, double workers) const;

  /// Why these ops as one kernel of `tiles` tiles at most would be slower than each as a kernel of
  /// its own with a tile for every worker, or nothing when it would not.
  std::optional<std::string> refuseFewTiles(llvm::ArrayRef<mlir::Operation *> ops,
                                            uint64_t tiles) const;

  /// Why a launch of their own is better for row-wise ops than to be the row epilogue of a product
  /// of `rows` rows (one worker, no launch), or nothing when it is not. `cost` is that of all rows.
  std::optional<std::string> refuseRowEpilogue(const KernelCost &cost, uint64_t rows) const;

  /// Row counts at the bounds; a value that a pass makes has to be told to `rows`.
  uint64_t countRows(mlir::Value value) const;
  RowAnalysis rows;

private:
  CostModel(RowAnalysis rows, kern::BoundsAttr bounds, kern::TargetRates rates)
      : rows(std::move(rows)), bounds(bounds), rates(rates) {}

  kern::BoundsAttr bounds;
  kern::TargetRates rates;
};

/// Runs `visit` for each function of the module that has ops of class `Op` in its body (not inside
/// groups), with these in order, the function's cost model and the module's target. Fails, with an
/// error, without a target or where a row count cannot be told.
template <typename Op>
mlir::LogicalResult forEachFunctionWith(
    mlir::ModuleOp module,
    llvm::function_ref<void(llvm::ArrayRef<Op>, CostModel &, const kern::TargetModel &)> visit) {
  const kern::TargetModel *target = kern::getTarget(module);
  if (!target)
    return mlir::failure();
  for (auto function : module.getOps<mlir::func::FuncOp>()) {
    if (function.isExternal())
      continue;
    llvm::SmallVector<Op> ops(function.getBody().front().getOps<Op>());
    if (ops.empty())
      continue;
    mlir::FailureOr<CostModel> cost = CostModel::get(function, *target);
    if (mlir::failed(cost))
      return mlir::failure();
    visit(ops, *cost, *target);
  }
  return mlir::success();
}

/// "12.3 us", for remarks.
std::string formatSeconds(double seconds);

} // namespace moec::passes
