// Makes one function of each entry of the bundle from the imported @forward, so
// that later passes may treat prefill and decode differently.
#include "passes/Passes.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_SPLITENTRIES
#include "passes/Passes.h.inc"

namespace {

struct SplitEntries : impl::SplitEntriesBase<SplitEntries> {
  using SplitEntriesBase::SplitEntriesBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    auto forward = symbols.lookup<func::FuncOp>("forward");
    if (!forward) {
      module.emitError() << "split-entries found no function @forward to split";
      return signalPassFailure();
    }
    if (auto mtp = symbols.lookup<func::FuncOp>("mtp"); mtp && !keepMtp)
      mtp.erase();
    OpBuilder builder(forward);
    for (StringRef entry : {"prefill", "decode"}) {
      if (Operation *existing = symbols.lookup(entry)) {
        existing->emitError() << "split-entries cannot make @" << entry << ": the name is taken";
        return signalPassFailure();
      }
      auto clone = cast<func::FuncOp>(builder.clone(*forward));
      clone.setName(entry);
      clone->setAttr(kEntryOfAttr, forward.getSymNameAttr());
    }
    forward.erase();
  }
};

} // namespace
} // namespace moec::passes
