// The kernels of one chip that a package's cases launch, each once.
#pragma once

#include "codegen/target/nvidia/cases/Package.h"

#include "mlir/IR/OwningOpRef.h"

#include <map>

namespace moec::cases {

class KernelSet {
public:
  /// Kernels are named `prefix` and a number. The target is one that contexts know.
  KernelSet(std::string target, std::string prefix, mlir::MLIRContext &context);

  /// How a scheduled kernel is launched.
  PackageLaunch add(kern::KernelOp kernel);

  /// Machine code when there is an assembler, and PTX; an empty image without kernels.
  llvm::Expected<codegen::NvidiaImage> emit(std::optional<llvm::StringRef> assembler);

  const std::string target;

private:
  std::string prefix;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::map<std::string, PackageLaunch> launches; // by the kernel's text
};

} // namespace moec::cases
