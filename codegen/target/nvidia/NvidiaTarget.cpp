#include "codegen/target/nvidia/NvidiaTarget.h"

#include "codegen/kernels/TeamEmitters.h"
#include "codegen/target/nvidia/hopper/AttentionFamily.h"
#include "codegen/target/nvidia/hopper/DenseFamily.h"
#include "codegen/target/nvidia/hopper/ExpandedFamily.h"
#include "codegen/target/nvidia/hopper/HeadFamily.h"
#include "codegen/target/nvidia/hopper/LatentFamily.h"
#include "codegen/target/nvidia/hopper/MatmulFamily.h"

#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

static bool isHopper(const Chip &chip) { return chip.name == "sm_90a"; }

ArrayRef<const WholeKernelEmitter *> NvidiaTarget::getWholeKernelEmitters() const {
  static const WholeKernelEmitter *const families[] = {
      &getHopperMatmulEmitter(), &getHopperDenseEmitter(),    &getHopperHeadEmitter(),
      &getHopperLatentEmitter(), &getHopperExpandedEmitter(), &getHopperAttentionEmitter()};
  return isHopper(chip) ? ArrayRef(families) : ArrayRef<const WholeKernelEmitter *>();
}

ArrayRef<int64_t> NvidiaTarget::getRowClasses() const {
  return isHopper(chip) ? getHopperRowClasses() : getTeamRowClasses(getMachine());
}

static std::unique_ptr<kern::TargetModel> makeTarget(StringRef name, std::string &error) {
  auto chip = findChip(name);
  if (chip)
    return std::make_unique<NvidiaTarget>(**chip);
  error = llvm::toString(chip.takeError());
  return nullptr;
}

void moec::codegen::registerNvidiaTargets(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *, kern::KernDialect *dialect) {
    for (const Chip &chip : getChips())
      kern::registerTarget(*dialect, chip.name, makeTarget);
  });
}
