// Kernels to PTX, and to machine code when there is an assembler.
#pragma once

#include "codegen/target/gpu/GpuCompiler.h"
#include "codegen/target/nvidia/Assemble.h"
#include "codegen/target/nvidia/NvidiaTarget.h"

namespace moec::codegen {

struct NvidiaKernel {
  std::string symbol;
  LaunchShape launch;
  unsigned blocksPerCore = 0; // that a multiprocessor holds at once; 0: not known
  double peakFlops = 0;       // of the chip in the kernel's arithmetic, per second
  KernelReport report;
};

struct NvidiaImage {
  std::string ptx;
  std::string cubin; // empty without an assembler
  std::vector<NvidiaKernel> kernels;
};

/// Compiles every kern.kernel of `module`; other ops are ignored. Kernels must be scheduled. What
/// cannot be emitted is named all at once. The same module, target and assembler give the same
/// bytes.
llvm::Expected<NvidiaImage> emitKernels(mlir::ModuleOp module, const NvidiaTarget &target,
                                        std::optional<llvm::StringRef> assembler);

/// What the image would be made of, as text; assembly is PTX.
llvm::Expected<std::string> emitNvidiaText(mlir::ModuleOp module, const NvidiaTarget &target,
                                           GpuStage stage);

} // namespace moec::codegen
