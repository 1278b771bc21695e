// How the vector accesses of a tile function are aligned, for machines that move only aligned ones
// whole.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace moec::codegen {

/// How buffers begin at least, unless they are views of columns of others. In bytes.
inline constexpr uint64_t kBufferAlignment = 16;

/// Sets the `alignment` of every vector.load and vector.store of `tile` as far as it is known: from
/// strides, constants, loop steps, and how the function's arguments are aligned: `alignments`, and
/// kBufferAlignment behind its end.
void alignAccesses(mlir::func::FuncOp tile, llvm::ArrayRef<uint64_t> alignments = {});

} // namespace moec::codegen
