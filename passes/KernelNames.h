// Names of kernels that a person can read: hero, sizes, element type.
#pragma once

#include "dialects/kern/KernDialect.h"

namespace moec::passes {

/// A name for a group's kernel, e.g. "matmul_1536x7168_f8" (outputs x inputs) or
/// "rows_add_rms_norm_quantize_7168" (ops, columns). Alike names are possible.
std::string getKernelName(kern::GroupOp group);

} // namespace moec::passes
