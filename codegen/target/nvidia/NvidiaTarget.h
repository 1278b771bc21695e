// NVIDIA's chips as targets: a GpuTarget with this vendor's families before the plain ones.
#pragma once

#include "codegen/target/gpu/GpuTarget.h"
#include "codegen/target/nvidia/Chips.h"

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace moec::codegen {

class NvidiaTarget : public GpuTarget {
public:
  explicit NvidiaTarget(const Chip &chip)
      : GpuTarget(chip.name.str(), chip.getMachine(), chip.getRates()), chip(chip) {}

  const Chip &getChip() const { return chip; }
  bool canLaunchEarly() const override { return chip.hasEarlyLaunch; }
  llvm::ArrayRef<const WholeKernelEmitter *> getWholeKernelEmitters() const override;
  /// Largest row counts of the classes of matrix kernels that the chip computes differently
  /// (passes/RowClasses.h); empty: it has one way for all.
  llvm::ArrayRef<int64_t> getRowClasses() const;

private:
  const Chip &chip;
};

/// Makes the chips' names known to the kern dialect of contexts made from `registry`.
void registerNvidiaTargets(mlir::DialectRegistry &registry);

} // namespace moec::codegen
