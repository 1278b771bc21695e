// Atomics on a block's memory.
#pragma once

#include "mlir/IR/BuiltinOps.h"

namespace moec::codegen {

/// Of a block's own memory (address space `space`) only the block's barriers order what threads do:
/// its atomics need no order of their own, and none beyond LLVM's synchronisation scope `block`.
void relaxSharedAtomics(mlir::ModuleOp module, unsigned space, llvm::StringRef block);

} // namespace moec::codegen
