// The entry point of a GPU kernel around its lowered tile function: one address a buffer, the
// address of the dims; a block a tile (docs/contracts.md).
#pragma once

#include "codegen/target/gpu/GpuTarget.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace moec::codegen {

/// What a kind of GPU says to the wrapper.
struct KernelIntrinsics {
  using Read = llvm::function_ref<mlir::Value(mlir::ImplicitLocOpBuilder &)>;
  Read blockIndex; // i32
  mlir::LLVM::CConv convention;
  /// Emits what lets the next launch begin, and the wait for the launches before; for kernels that
  /// may begin early.
  llvm::function_ref<void(mlir::ImplicitLocOpBuilder &)> letNextBegin, waitForEarlier;
  unsigned bufferSpace = 0;    // address space of the addresses of buffers
  bool hasSizedMemory = false; // the block's memory is of the size that the kernel needs, rather
                               // than of that which the launch asks for
};

/// An intrinsic without operands that returns i32.
mlir::Value callIntrinsic(mlir::ImplicitLocOpBuilder &b, llvm::StringRef name);

/// Adds the entry point of `kernel` to `module`, beside its tile function in the LLVM dialect.
mlir::LLVM::LLVMFuncOp wrapKernel(const GpuKernel &kernel, kern::GridAttr grid,
                                  mlir::ModuleOp module, const KernelIntrinsics &intrinsics);

} // namespace moec::codegen
