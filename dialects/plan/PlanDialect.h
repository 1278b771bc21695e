// The plan dialect: the host program.
#pragma once

#include "dialects/kern/KernDialect.h"

#include "dialects/plan/PlanDialect.h.inc"
#include "dialects/plan/PlanEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/plan/PlanAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/plan/PlanTypes.h.inc"
#define GET_OP_CLASSES
#include "dialects/plan/PlanOps.h.inc"

namespace moec::plan {

/// Number of buffers that a value of this type is passed as: two for a
/// quantized tensor, one otherwise.
unsigned getNumBuffers(mlir::Type type);

} // namespace moec::plan
