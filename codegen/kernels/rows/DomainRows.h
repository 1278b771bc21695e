// The rows that a row-wise kernel runs over.
#pragma once

#include "dialects/kern/KernDialect.h"

namespace moec::codegen {

/// The row count of the kernel's results, or of the rows it writes to a cache; null
/// when it has none.
kern::RowsAttr getDomainRows(kern::KernelOp kernel);

} // namespace moec::codegen
