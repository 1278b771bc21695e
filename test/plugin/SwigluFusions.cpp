// A plugin with one fusion, once right and once wrong: it puts swiglu into a
// group of its own, and the wrong one exchanges gate and up on the way. Such a slip
// breaks no verifier; only the numerics tell.
#include "passes/Fusion.h"
#include "passes/Remarks.h"

#include "mlir/Pass/Pass.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

using namespace mlir;
using namespace moec;

namespace {

template <typename Derived> struct GroupSwiglu : PassWrapper<Derived, OperationPass<ModuleOp>> {
  void runOnOperation() override {
    auto visit = [&](moe::SwigluOp swiglu, const kern::TargetModel &) {
      if (Derived::isWrong)
        swiglu->setOperands({swiglu.getUp(), swiglu.getGate()});
      if (kern::GroupOp group = passes::createGroup({swiglu}, swiglu, kern::Hero::Pointwise))
        passes::reportSuccess(group, this->getArgument(), "grouped a swiglu");
    };
    if (failed(passes::forEachUngrouped<moe::SwigluOp>(this->getOperation(), visit)))
      this->signalPassFailure();
  }
};

struct RightFusion : GroupSwiglu<RightFusion> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(RightFusion)
  static constexpr bool isWrong = false;
  StringRef getArgument() const override { return "test-right-fusion"; }
  StringRef getDescription() const override { return "put swiglu into a group"; }
};

struct WrongFusion : GroupSwiglu<WrongFusion> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(WrongFusion)
  static constexpr bool isWrong = true;
  StringRef getArgument() const override { return "test-wrong-fusion"; }
  StringRef getDescription() const override { return "the same with gate and up exchanged"; }
};

} // namespace

extern "C" PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "swiglu-fusions", "1", [] {
            PassRegistration<RightFusion>();
            PassRegistration<WrongFusion>();
          }};
}
