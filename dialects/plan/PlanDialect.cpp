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

LogicalResult ProgramOp::verify() {
  if (getMaxTokens() < 1 || getMaxSequences() < 1 || getMaxOutputRows() < 1)
    return emitOpError() << "bounds must be positive; got tokens " << getMaxTokens()
                         << ", sequences " << getMaxSequences() << ", output rows "
                         << getMaxOutputRows();
  for (Operation &op : getBody().front())
    if (!isa<PlanDialect>(op.getDialect()))
      return emitOpError() << "holds only plan ops; got '" << op.getName() << "'";
  return success();
}

LogicalResult ArenaOp::verify() {
  auto program = (*this)->getParentOfType<ProgramOp>();
  uint64_t end = uint64_t(getOffset()) + uint64_t(getBytes());
  if (program && end > uint64_t(program.getArenaBytes()))
    return emitOpError() << "range ends at " << end << ", past the arena of "
                         << program.getArenaBytes() << " bytes";
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
  if (getBuffers().size() != expected)
    return emitOpError() << "passes " << getBuffers().size() << " buffers, kernel "
                         << getKernelAttr() << " takes " << expected;
  return success();
}
