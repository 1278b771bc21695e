// Kernels to machine code: one shared object for all kernels of a bundle.
#pragma once

#include "codegen/target/cpu/CpuTarget.h"

#include "mlir/IR/BuiltinOps.h"

namespace moec::codegen {

struct KernelSymbol {
  std::string symbol;
  uint64_t workspaceBytes; // what a worker must provide, 64-byte aligned
  unsigned numArgs;        // slots of `args`
};

struct Image {
  std::string bytes; // ELF shared object; needs nothing but memcpy, memmove, memset
  std::vector<KernelSymbol> kernels;
};

/// Compiles every kern.kernel of `module`; other ops are ignored. Kernels must be
/// scheduled. What an emitter refuses is reported as a diagnostic, and the error names the kernel.
/// The same module and target give the same bytes.
llvm::Expected<Image> emitImage(mlir::ModuleOp module, const CpuTarget &target);

/// What the image would be made of, as text: the tile functions, optimised LLVM IR, assembly.
enum class Stage { Tile, Llvm, Assembly };
llvm::Expected<std::string> emitText(mlir::ModuleOp module, const CpuTarget &target, Stage stage);

} // namespace moec::codegen
