// The entry point of a GPU kernel around its lowered tile function: one address a buffer, the
// address of the dims; blocks loop over tiles (docs/contracts.md).
#pragma once

#include "codegen/target/gpu/GpuTarget.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace moec::codegen {

/// How a kind of GPU says what the wrapper needs: LLVM intrinsics without operands, i32.
struct KernelIntrinsics {
  llvm::StringRef blockIndex, gridSize;
  mlir::LLVM::CConv convention;
  /// Emits the block's barrier.
  llvm::function_ref<void(mlir::ImplicitLocOpBuilder &)> barrier;
  /// Emits what lets the next launch begin, and the wait for the launches before; for kernels that
  /// may begin early.
  llvm::function_ref<void(mlir::ImplicitLocOpBuilder &)> letNextBegin, waitForEarlier;
};

/// Adds the entry point of `kernel` to `module`, beside its tile function in the LLVM dialect.
mlir::LLVM::LLVMFuncOp wrapKernel(const GpuKernel &kernel, kern::GridAttr grid,
                                  mlir::ModuleOp module, const KernelIntrinsics &intrinsics);

} // namespace moec::codegen
