// The kern dialect: groups, kernels, launches.
#pragma once

#include "dialects/moe/MoeDialect.h"

#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

#include "dialects/kern/KernDialect.h.inc"
#include "dialects/kern/KernEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/kern/KernAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialects/kern/KernOps.h.inc"
