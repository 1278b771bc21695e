// Kernels to an AMDGPU code object, through LLVM's backend and the linker in this process.
#pragma once

#include "codegen/target/amd/AmdTarget.h"
#include "codegen/target/amd/CodeObject.h"
#include "codegen/target/gpu/GpuCompiler.h"

namespace moec::codegen {

struct AmdKernel {
  std::string symbol;
  unsigned threads = 0;
  unsigned groupsPerUnit = 0; // workgroups that a compute unit holds at once
  CodeObjectReport report;
};

struct AmdImage {
  std::string codeObject;
  std::vector<AmdKernel> kernels;
};

/// Compiles every kern.kernel of `module`; other ops are ignored. Kernels must be scheduled. What
/// cannot be emitted is named all at once. The same module and target give the same bytes.
llvm::Expected<AmdImage> emitCodeObject(mlir::ModuleOp module, const AmdTarget &target);

/// What the image would be made of, as text.
llvm::Expected<std::string> emitAmdText(mlir::ModuleOp module, const AmdTarget &target,
                                        GpuStage stage);

} // namespace moec::codegen
