// Puts `moe.quantize` in front of products whose weight is block FP8. Each
// value is quantized once, right where it is made, so that the op can be fused
// with its producer.
#include "passes/Passes.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_QUANTIZEACTIVATIONS
#include "passes/Passes.h.inc"

namespace {

constexpr llvm::StringLiteral kActivations = "activations";

bool isBlockFp8(Type type) {
  moe::QuantSchemeAttr scheme = moe::getScheme(type);
  return scheme && isa<Float8E4M3FNType>(scheme.getStorage()) && scheme.getBlock()[1] == 128;
}

struct QuantizeActivations : impl::QuantizeActivationsBase<QuantizeActivations> {
  using QuantizeActivationsBase::QuantizeActivationsBase;

  void runOnOperation() override {
    FailureOr<bool> quantized = isQuantized();
    if (failed(quantized))
      return signalPassFailure();
    if (!*quantized)
      return;
    DenseMap<Value, Value> done;
    WalkResult result = getOperation().walk([&](Operation *op) {
      if (isa<moe::ExpertsOp>(op)) {
        op->emitError() << "quantize-activations needs expanded experts; run expand-experts first";
        return WalkResult::interrupt();
      }
      if (auto linear = dyn_cast<moe::LinearOp>(op))
        quantizeInput(linear, linear.getXMutable(), linear.getWeight(), done);
      if (auto linear = dyn_cast<moe::GroupedLinearOp>(op))
        quantizeInput(linear, linear.getXMutable(), linear.getWeight(), done);
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

  /// What the option or the contract says; the option is written into the contract.
  FailureOr<bool> isQuantized() {
    ModuleOp module = getOperation();
    auto contract = module->getAttrOfType<DictionaryAttr>(kNumericsAttr);
    std::string wanted = mode;
    if (wanted == "from-contract") {
      auto recorded = contract ? contract.getAs<StringAttr>(kActivations) : StringAttr();
      wanted = recorded ? recorded.str() : "exact";
    }
    if (wanted != "quantized" && wanted != "exact") {
      module.emitError() << "activations must be quantized or exact; got '" << wanted << "'";
      return failure();
    }
    NamedAttrList entries(contract);
    entries.set(kActivations, StringAttr::get(&getContext(), wanted));
    module->setAttr(kNumericsAttr, entries.getDictionary(&getContext()));
    return wanted == "quantized";
  }

  void quantizeInput(Operation *op, OpOperand &x, Value weight, DenseMap<Value, Value> &done) {
    if (!isBlockFp8(weight.getType()) || moe::getScheme(x.get().getType()))
      return;
    Value &quantized = done[x.get()];
    if (!quantized) {
      OpBuilder builder(op);
      builder.setInsertionPointAfterValue(x.get());
      auto type = moe::QTensorType::get(&getContext(), moe::getShape(x.get().getType()),
                                        moe::getActivationScheme(&getContext()));
      quantized = moe::QuantizeOp::create(builder, x.get().getLoc(), type, x.get());
    }
    x.set(quantized);
  }
};

} // namespace
} // namespace moec::passes
