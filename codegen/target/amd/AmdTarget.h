// AMD's chips as targets: what all GPUs answer alike, with this vendor's numbers.
#pragma once

#include "codegen/target/amd/AmdChips.h"
#include "codegen/target/gpu/GpuTarget.h"

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace moec::codegen {

class AmdTarget : public GpuTarget {
public:
  explicit AmdTarget(const AmdChip &chip)
      : GpuTarget(chip.name.str(), chip.getMachine(), chip.getRates()), chip(chip) {}

  const AmdChip &getChip() const { return chip; }

private:
  const AmdChip &chip;
};

/// Makes the chips' names known to the kern dialect of contexts made from `registry`.
void registerAmdTargets(mlir::DialectRegistry &registry);

} // namespace moec::codegen
