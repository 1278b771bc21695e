// Registration and verifiers of the plan dialect.
#include "dialects/plan/PlanDialect.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::plan;

#include "dialects/plan/PlanDialect.cpp.inc"
#include "dialects/plan/PlanEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/plan/PlanAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/plan/PlanTypes.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/plan/PlanOps.cpp.inc"

void PlanDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/plan/PlanAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/plan/PlanTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/plan/PlanOps.cpp.inc"
      >();
}

unsigned moec::plan::getNumBuffers(Type type) { return isa<moe::QTensorType>(type) ? 2 : 1; }

/// The type that a part of a weight has as a buffer, or null.
static Type getPartType(moe::WeightOp weight, Part part) {
  auto quantized = dyn_cast<moe::QTensorType>(weight.getType());
  if (part == Part::Values)
    return quantized ? Type(quantized.getCodesType()) : weight.getType();
  return quantized ? Type(quantized.getScalesType()) : Type();
}

LogicalResult WeightOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto weight = symbols.lookupNearestSymbolFrom<moe::WeightOp>(*this, getSourceAttr());
  if (!weight)
    return emitOpError() << "no moe.weight named " << getSourceAttr();
  Type expected = getPartType(weight, getPart());
  if (!expected)
    return emitOpError() << "is the scales of " << getSourceAttr()
                         << ", which is not quantized: " << weight.getType();
  if (getType() != expected) {
    auto diagnostic = emitOpError()
                      << "type " << getType() << " differs from " << expected << ", the "
                      << stringifyPart(getPart()) << " of " << getSourceAttr();
    diagnostic.attachNote(weight.getLoc()) << "weight declared here";
    return diagnostic;
  }
  return success();
}

LogicalResult ProgramOp::verify() {
  if (int64_t(getMaxTokens()) < 1 || int64_t(getMaxSequences()) < 1 ||
      int64_t(getMaxOutputRows()) < 1 || int64_t(getArenaBytes()) < 0)
    return emitOpError() << "bounds must be positive and the arena not negative; got tokens "
                         << int64_t(getMaxTokens()) << ", sequences " << int64_t(getMaxSequences())
                         << ", output rows " << int64_t(getMaxOutputRows()) << ", arena "
                         << int64_t(getArenaBytes());
  if (getMaxSequences() > getMaxTokens() || getMaxOutputRows() > getMaxTokens())
    return emitOpError() << "has " << getMaxSequences() << " sequences and " << getMaxOutputRows()
                         << " output rows; expected at most one for each of its " << getMaxTokens()
                         << " tokens";
  for (Operation &op : getBody().front())
    if (!isa<PlanDialect>(op.getDialect()))
      return emitOpError() << "holds only plan ops; got '" << op.getName() << "'";
  return success();
}

LogicalResult ArenaOp::verify() {
  int64_t offset = getOffset(), bytes = getBytes();
  if (offset < 0 || bytes < 0)
    return emitOpError() << "offset and bytes must not be negative; got " << offset << " and "
                         << bytes;
  auto program = (*this)->getParentOfType<ProgramOp>();
  int64_t arena = program ? int64_t(program.getArenaBytes()) : 0;
  if (program && (bytes > arena || offset > arena - bytes))
    return emitOpError() << "range of " << bytes << " bytes at " << offset
                         << " ends past the arena of " << arena << " bytes";
  return success();
}

LogicalResult OutputOp::verify() {
  if (int64_t(getIndex()) < 0 || int64_t(getBytes()) < 1)
    return emitOpError() << "index must not be negative and bytes positive; got "
                         << int64_t(getIndex()) << " and " << int64_t(getBytes());
  return success();
}

LogicalResult CacheOp::verify() {
  if (int64_t(getLayer()) < 0)
    return emitOpError() << "layer must not be negative; got " << int64_t(getLayer());
  return success();
}

LogicalResult CountersOp::verify() {
  if (int64_t(getBytes()) < 4 || getBytes() % 4 != 0)
    return emitOpError() << "bytes must be a positive multiple of 4; got " << int64_t(getBytes());
  return success();
}

LogicalResult LaunchOp::verify() {
  int64_t bytes = getBytes(), contextBytes = getContextBytes(), flops = getFlops();
  if (bytes < 0 || contextBytes < 0 || flops < 0)
    return emitOpError() << "bytes, context_bytes and flops must not be negative; got " << bytes
                         << ", " << contextBytes << " and " << flops;
  return success();
}

LogicalResult WeightRefOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!symbols.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr()))
    return emitOpError() << "no plan.weight named " << getWeightAttr();
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<kern::KernelOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError() << "no kern.kernel named " << getKernelAttr();
  size_t expected = 0;
  for (Type type : kernel.getArgumentTypes())
    expected += getNumBuffers(type);
  for (Type type : kernel.getResultTypes())
    expected += isa<moe::CacheType>(type) ? 0 : getNumBuffers(type);
  expected += (kernel.getNumCounters() > 0) + (kernel.getScratchBytes() > 0);
  if (getBuffers().size() != expected)
    return emitOpError() << "passes " << getBuffers().size() << " buffers, kernel "
                         << getKernelAttr() << " takes " << expected;
  return success();
}
