// Registration of the kern dialect and its attributes.
#include "dialects/kern/KernDialect.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec::kern;

#include "dialects/kern/KernDialect.cpp.inc"
#include "dialects/kern/KernEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/kern/KernAttrs.cpp.inc"

void KernDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/kern/KernAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/kern/KernOps.cpp.inc"
      >();
}

int64_t ScheduleAttr::get(StringRef name, int64_t otherwise) const {
  auto size = getSizes().getAs<IntegerAttr>(name);
  return size ? size.getInt() : otherwise;
}

LogicalResult RowsAttr::verify(function_ref<InFlightDiagnostic()> emitError, Dim,
                               int64_t multiplier) {
  if (multiplier < 1)
    return emitError() << "rows multiplier must be positive; got " << multiplier;
  return success();
}

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   DictionaryAttr sizes) {
  for (NamedAttribute size : sizes)
    if (!isa<IntegerAttr>(size.getValue()))
      return emitError() << "schedule sizes must be integers; got " << size.getName().getValue()
                         << " = " << size.getValue();
  return success();
}

LogicalResult BoundsAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t tokens,
                                 int64_t sequences, int64_t outputRows, int64_t context) {
  if (tokens < 1 || sequences < 1 || outputRows < 1 || context < 1)
    return emitError() << "bounds must be positive; got tokens " << tokens << ", sequences "
                       << sequences << ", output rows " << outputRows << ", context " << context;
  return success();
}

std::array<uint64_t, 4> BoundsAttr::getSizes() const {
  return {1, uint64_t(getTokens()), uint64_t(getSequences()), uint64_t(getOutputRows())};
}

LogicalResult GridAttr::verify(function_ref<InFlightDiagnostic()> emitError, Dim,
                               int64_t multiplier, int64_t divisor, int64_t cap, int64_t factor) {
  if (multiplier < 1 || divisor < 1 || cap < 0 || factor < 1)
    return emitError() << "grid multiplier, divisor and factor must be positive and cap not "
                          "negative; got "
                       << multiplier << ", " << divisor << ", " << factor << ", " << cap;
  return success();
}
