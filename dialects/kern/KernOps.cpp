// Verifiers and syntax of groups, kernels and launches.
#include "dialects/kern/KernDialect.h"

#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;
using namespace moec;
using namespace moec::kern;

#define GET_OP_CLASSES
#include "dialects/kern/KernOps.cpp.inc"

/// Fails unless the body holds only moe ops and yields `types`.
static LogicalResult verifyMoeBody(Operation *op, Block &body, TypeRange types) {
  for (Operation &inner : body.without_terminator())
    if (!isa<moe::MoeDialect>(inner.getDialect()))
      return op->emitOpError() << "holds only moe ops; got '" << inner.getName() << "'";
  auto yielded = body.getTerminator()->getOperandTypes();
  if (TypeRange(yielded) != types)
    return op->emitOpError() << "yields (" << yielded << ") but has results (" << types << ")";
  return success();
}

LogicalResult GroupOp::verify() {
  return verifyMoeBody(*this, getBody().front(), getResultTypes());
}

//===----------------------------------------------------------------------===//
// KernelOp
//===----------------------------------------------------------------------===//

ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &result) {
  auto buildType = [](Builder &builder, ArrayRef<Type> arguments, ArrayRef<Type> results,
                      function_interface_impl::VariadicFlag,
                      std::string &) { return builder.getFunctionType(arguments, results); };
  return function_interface_impl::parseFunctionOp(
      parser, result, /*allowVariadic=*/false, getFunctionTypeAttrName(result.name), buildType,
      getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name));
}

void KernelOp::print(OpAsmPrinter &printer) {
  function_interface_impl::printFunctionOp(printer, *this, /*isVariadic=*/false,
                                           getFunctionTypeAttrName(), getArgAttrsAttrName(),
                                           getResAttrsAttrName());
}

OperandRange KernelOp::getYielded() { return getBody().front().getTerminator()->getOperands(); }

static int64_t getScheduleSize(KernelOp kernel, StringRef name) {
  std::optional<ScheduleAttr> schedule = kernel.getSchedule();
  return schedule ? schedule->get(name) : 0;
}

int64_t KernelOp::getNumCounters() { return getScheduleSize(*this, "counters"); }
int64_t KernelOp::getScratchBytes() { return getScheduleSize(*this, "scratch"); }

bool KernelOp::isSettled(unsigned argument) {
  std::optional<ArrayRef<int64_t>> settled = getSettled();
  return settled && llvm::is_contained(*settled, int64_t(argument));
}

LogicalResult KernelOp::verify() {
  size_t values = getNumArguments() + getNumResults();
  if (getRows().size() != values || getRowStrides().size() != values)
    return emitOpError() << "needs rows and row_strides for each of its " << values
                         << " arguments and results; got " << getRows().size() << " and "
                         << getRowStrides().size();
  for (Attribute rows : getRows())
    if (!isa<RowsAttr, UnitAttr>(rows))
      return emitOpError() << "rows must be #kern.rows or unit; got " << rows;
  SmallVector<Type> types(getArgumentTypes());
  llvm::append_range(types, getResultTypes());
  for (auto [index, type, rows, stride] : llvm::enumerate(types, getRows(), getRowStrides()))
    if (isa<RowsAttr>(rows) && isa<RankedTensorType, moe::QTensorType>(type) &&
        moe::getShape(type).size() > 1 && stride < moe::getShape(type).back())
      return emitOpError() << "row stride " << stride << " of value " << index
                           << " is less than its " << moe::getShape(type).back() << " columns";
  for (int64_t argument : getSettled().value_or(ArrayRef<int64_t>()))
    if (argument < 0 || argument >= int64_t(getNumArguments()))
      return emitOpError() << "has no argument " << argument << " that could be settled";
  return verifyMoeBody(*this, getBody().front(), getResultTypes());
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError() << "no kern.kernel named " << getKernelAttr();
  auto type = FunctionType::get(getContext(), getOperandTypes(), getResultTypes());
  if (type != kernel.getFunctionType()) {
    auto diagnostic = emitOpError() << "type " << type << " differs from the kernel's "
                                    << kernel.getFunctionType();
    diagnostic.attachNote(kernel.getLoc()) << "kernel declared here";
    return diagnostic;
  }
  return success();
}
