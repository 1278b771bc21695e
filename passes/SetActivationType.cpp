// Changes the element type of the values that kernels hand on to each other. A result of a group,
// the value that the group yields for it, and all slices of either are one thing in memory, or
// views of it: they change together or not at all.
#include "dialects/kern/TargetModel.h"
#include "dialects/moe/MoeSamplingOps.h"
#include "passes/Passes.h"

#include "llvm/ADT/EquivalenceClasses.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_SETACTIVATIONTYPE
#include "passes/Passes.h.inc"

namespace {

bool isPlainRows(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == 2 && tensor.getElementType().isF32();
}

/// The values of a function that must have one element type, and which of these may change it.
class Places {
public:
  explicit Places(func::FuncOp function) {
    for (Value argument : function.getArguments())
      keep(argument);
    function.walk([&](Operation *op) { visit(*op); });
  }

  /// Calls `body(value)` for every value that travels between kernels and may change its type.
  void forEach(llvm::function_ref<void(Value)> body) {
    llvm::SmallPtrSet<void *, 32> fixed, travelling;
    auto getLeader = [&](Value value) {
      return classes.getOrInsertLeaderValue(value).getAsOpaquePointer();
    };
    for (Value value : kept)
      fixed.insert(getLeader(value));
    for (Value value : results)
      travelling.insert(getLeader(value));
    for (Value value : values) {
      void *leader = getLeader(value);
      if (isPlainRows(value.getType()) && travelling.contains(leader) && !fixed.contains(leader))
        body(value);
    }
  }

private:
  void keep(Value value) { kept.push_back(value); }
  void join(Value one, Value other) { classes.unionSets(one, other); }

  void visit(Operation &op) {
    for (Value result : op.getResults())
      values.push_back(result);
    if (auto group = dyn_cast<kern::GroupOp>(op)) {
      Operation *yield = group.getBody().front().getTerminator();
      for (auto [result, yielded] : llvm::zip(group.getResults(), yield->getOperands())) {
        results.push_back(result);
        join(result, yielded);
      }
    } else if (auto gate = dyn_cast<moe::GateOp>(op)) {
      keep(gate.getLogits());
      keep(gate.getWeights());
    } else if (auto maxima = dyn_cast<moe::ChunkMaximaOp>(op)) {
      keep(maxima.getResult());
    } else if (isa<moe::SliceOp, moe::DeinterleaveOp>(op)) {
      for (Value result : op.getResults())
        join(op.getOperand(0), result);
    } else if (isa<func::ReturnOp>(op)) {
      llvm::for_each(op.getOperands(), [&](Value value) { keep(value); });
    } else if (isa<moe::ParamOp>(op)) {
      keep(op.getResult(0));
    }
  }

  llvm::EquivalenceClasses<Value> classes;
  SmallVector<Value> values, results, kept;
};

struct SetActivationType : impl::SetActivationTypeBase<SetActivationType> {
  using SetActivationTypeBase::SetActivationTypeBase;

  /// Null after an error.
  Type getElement() {
    ModuleOp module = getOperation();
    if (elementType.empty()) {
      const kern::TargetModel *target = kern::getTarget(module);
      return target ? target->getActivationType(&getContext()) : Type();
    }
    if (elementType == "f32")
      return Float32Type::get(&getContext());
    if (elementType == "bf16")
      return BFloat16Type::get(&getContext());
    module.emitError() << "the activations' element type must be f32 or bf16; got '" << elementType
                       << "'";
    return {};
  }

  static LogicalResult checkGrouped(func::FuncOp function) {
    for (Operation &op : function.getBody().front())
      if (isa<moe::MoeDialect>(op.getDialect()) && !isa<moe::ParamOp, moe::SliceOp>(op))
        return op.emitError() << "'" << op.getName()
                              << "' stands outside a group; run group-remaining before "
                                 "set-activation-type";
    return success();
  }

  void runOnOperation() override {
    Type element = getElement();
    if (!element)
      return signalPassFailure();
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal() || element.isF32())
        continue;
      if (failed(checkGrouped(function)))
        return signalPassFailure();
      Places(function).forEach([&](Value value) {
        value.setType(cast<RankedTensorType>(value.getType()).clone(element));
      });
    }
    writeContract(element);
  }

  void writeContract(Type element) {
    auto known = getOperation()->getAttrOfType<DictionaryAttr>(kNumericsAttr);
    if (!known)
      return;
    NamedAttrList entries(known);
    entries.set("activation_type",
                StringAttr::get(&getContext(), element.isF32() ? "f32" : "bf16"));
    getOperation()->setAttr(kNumericsAttr, entries.getDictionary(&getContext()));
  }
};

} // namespace
} // namespace moec::passes
