// Prints what RowAnalysis finds, as remarks at the ops.
#include "test/lib/TestPasses.h"

#include "passes/RowAnalysis.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace moec;

namespace {

struct TestPrintRows : PassWrapper<TestPrintRows, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TestPrintRows)
  StringRef getArgument() const override { return "test-print-rows"; }
  StringRef getDescription() const override { return "print row counts and strides of results"; }

  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<kern::KernDialect>();
  }

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      FailureOr<passes::RowAnalysis> analysis = passes::RowAnalysis::compute(function);
      if (failed(analysis))
        return signalPassFailure();
      function.walk([&](Operation *op) {
        for (OpResult result : op->getResults())
          op->emitRemark() << "rows #" << result.getResultNumber() << ": "
                           << analysis->getRows(result) << ", stride "
                           << analysis->getRowStride(result);
      });
    }
  }
};

} // namespace

void moec::test::registerTestRowAnalysis() { PassRegistration<TestPrintRows>(); }
