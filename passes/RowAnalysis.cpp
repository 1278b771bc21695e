#include "passes/RowAnalysis.h"

#include "passes/Passes.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

static bool hasDynamicRows(Type type) {
  if (isa<moe::CacheType>(type))
    return false;
  ArrayRef<int64_t> shape = moe::getShape(type);
  return !shape.empty() && ShapedType::isDynamic(shape[0]);
}

static std::optional<kern::Dim> getDimOfRole(StringRef role) {
  return llvm::StringSwitch<std::optional<kern::Dim>>(role)
      .Cases({"token_ids", "positions", "sequence_ids", "hidden"}, kern::Dim::Tokens)
      .Case("block_table", kern::Dim::Sequences)
      .Cases({"output_rows", "logits", "sampling"}, kern::Dim::OutputRows)
      .Default(std::nullopt);
}

FailureOr<RowAnalysis> RowAnalysis::compute(func::FuncOp function) {
  RowAnalysis analysis;
  MLIRContext *context = function.getContext();
  for (BlockArgument argument : function.getArguments()) {
    Attribute &rows = analysis.rows[argument];
    rows = UnitAttr::get(context);
    if (!hasDynamicRows(argument.getType()))
      continue;
    auto role = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kInputAttr);
    std::optional<kern::Dim> dim = getDimOfRole(role ? role.getValue() : "");
    if (!dim)
      return function.emitError()
             << "row count of argument #" << argument.getArgNumber() << " is not known: its "
             << kInputAttr << " is '" << (role ? role.getValue() : "")
             << "', which must be token_ids, positions, sequence_ids, block_table, output_rows, "
                "logits, sampling or hidden";
    rows = kern::RowsAttr::get(context, *dim, 1);
  }
  for (Operation &op : function.getBody().front())
    if (failed(analysis.visit(op)))
      return failure();
  return analysis;
}

FailureOr<RowAnalysis> RowAnalysis::compute(kern::KernelOp kernel) {
  RowAnalysis analysis;
  for (auto [argument, rows] : llvm::zip(kernel.getBody().getArguments(), kernel.getRows()))
    analysis.rows[argument] = rows;
  for (Operation &op : kernel.getBody().front())
    if (failed(analysis.visit(op)))
      return failure();
  return analysis;
}

LogicalResult RowAnalysis::visit(Operation &op) {
  if (auto group = dyn_cast<kern::GroupOp>(op)) {
    for (Operation &inner : group.getBody().front())
      if (failed(visit(inner)))
        return failure();
    addResults(group);
    return success();
  }
  for (OpResult result : op.getResults()) {
    Attribute inferred = inferRows(op, result.getResultNumber());
    if (!inferred)
      return op.emitError() << "row count of result #" << result.getResultNumber()
                            << " is not known: the op has no RowsInterface";
    rows[result] = inferred;
  }
  return success();
}

void RowAnalysis::addResults(kern::GroupOp group) {
  Operation *yield = group.getBody().front().getTerminator();
  for (auto [result, yielded] : llvm::zip(group.getResults(), yield->getOperands()))
    replace(yielded, result);
}

Attribute RowAnalysis::inferRows(Operation &op, unsigned result) const {
  MLIRContext *context = op.getContext();
  if (!hasDynamicRows(op.getResult(result).getType()))
    return UnitAttr::get(context);
  auto interface = dyn_cast<moe::RowsInterface>(op);
  if (!interface)
    return {};
  Value source = interface.getRowSource(result);
  int64_t multiplier = interface.getRowMultiplier(result);
  if (auto known = dyn_cast<kern::RowsAttr>(rows.lookup(source)))
    return kern::RowsAttr::get(context, known.getDim(), known.getMultiplier() * multiplier);
  return kern::RowsAttr::get(context, kern::Dim::One,
                             moe::getShape(source.getType())[0] * multiplier);
}

int64_t RowAnalysis::getRowStride(Value value) const {
  if (!isa_and_present<kern::RowsAttr>(getRows(value)))
    return 0;
  while (auto slice = value.getDefiningOp<moe::SliceOp>()) {
    if (isa<kern::GroupOp, kern::KernelOp>(slice->getParentOp()))
      break;
    value = slice.getX();
  }
  ArrayRef<int64_t> columns = moe::getShape(value.getType()).drop_front();
  if (llvm::any_of(columns, ShapedType::isDynamic))
    return 0;
  return ShapedType::getNumElements(columns);
}

uint64_t moec::passes::countRows(Attribute rows, Type type, ArrayRef<uint64_t> sizes) {
  if (auto known = dyn_cast<kern::RowsAttr>(rows))
    return sizes[static_cast<unsigned>(known.getDim())] * known.getMultiplier();
  if (isa<moe::CacheType>(type) || moe::getShape(type).empty())
    return 1;
  return moe::getShape(type)[0];
}
