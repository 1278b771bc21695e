// Arguments that a launch may read before its wait for the launch before: what an earlier one
// wrote, when the one between has itself waited before it let this one begin.
#include "dialects/kern/TargetModel.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_SETTLEARGUMENTS
#include "passes/Passes.h.inc"

namespace {

struct SettleArguments : impl::SettleArgumentsBase<SettleArguments> {
  void runOnOperation() override {
    const kern::TargetModel *target = kern::getTarget(getOperation());
    if (!target)
      return signalPassFailure();
    SymbolTable symbols(getOperation());
    llvm::MapVector<kern::KernelOp, SmallVector<int64_t>> settled;
    for (auto kernel : getOperation().getOps<kern::KernelOp>())
      settled[kernel] = target->getEarlyArguments(kernel);
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      kern::LaunchOp before;
      for (auto launch : function.getOps<kern::LaunchOp>()) {
        auto &arguments = settled[symbols.lookup<kern::KernelOp>(launch.getKernel())];
        llvm::erase_if(arguments, [&](int64_t argument) {
          auto reason = refuse(launch, argument, before, *target, symbols);
          if (reason)
            reportRefusal(launch, getArgument(), *reason);
          return reason.has_value();
        });
        before = launch;
      }
    }
    for (auto &[kernel, arguments] : settled)
      if (!arguments.empty()) {
        kernel.setSettled(arguments);
        reportSuccess(kernel, getArgument(), "reads arguments before the launch before has ended");
      }
  }

  /// Why `launch` must wait for `before` until it reads `argument`, or nothing when it need not.
  static std::optional<std::string> refuse(kern::LaunchOp launch, int64_t argument,
                                           kern::LaunchOp before, const kern::TargetModel &target,
                                           SymbolTable &symbols) {
    if (!before)
      return "what comes before the program is unknown";
    if (launch.getArguments()[argument].getDefiningOp() == before)
      return "the launch before writes it";
    if (!target.holdsBackNext(symbols.lookup<kern::KernelOp>(before.getKernel())))
      return "the launch before lets this one begin at once";
    return std::nullopt;
  }
};

} // namespace
} // namespace moec::passes
