#include "codegen/target/nvidia/NvidiaTarget.h"

#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

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
