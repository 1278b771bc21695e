// Where a kernel's values lie among its buffers, and with which sizes it is launched.
#pragma once

#include "codegen/kernels/TileFunction.h"

namespace moec::codegen {

/// The index of the first slot of argument or (counted on) result `value`; slots.size() without
/// one.
unsigned findSlot(llvm::ArrayRef<Slot> slots, unsigned value);

/// The largest `size` of the bounds of functions that launch `kernel`; 0 when none says bounds.
int64_t getMost(kern::KernelOp kernel, llvm::function_ref<int64_t(kern::BoundsAttr)> size);

} // namespace moec::codegen
