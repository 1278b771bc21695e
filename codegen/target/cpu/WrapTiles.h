// The C functions of the kernel ABI around lowered tile functions.
#pragma once

#include "codegen/kernels/TileFunction.h"

namespace moec::codegen {

/// Adds `@<kernel>`, which loads pointers and sizes and calls `@<kernel>.tile`, an
/// llvm.func of `module`.
void wrapTile(kern::KernelOp kernel, mlir::ModuleOp module);

} // namespace moec::codegen
