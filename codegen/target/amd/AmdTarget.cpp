#include "codegen/target/amd/AmdTarget.h"

#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

static std::unique_ptr<kern::TargetModel> makeTarget(StringRef name, std::string &error) {
  auto chip = findAmdChip(name);
  if (chip)
    return std::make_unique<AmdTarget>(**chip);
  error = llvm::toString(chip.takeError());
  return nullptr;
}

void moec::codegen::registerAmdTargets(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *, kern::KernDialect *dialect) {
    for (const AmdChip &chip : getAmdChips())
      kern::registerTarget(*dialect, chip.name, makeTarget);
  });
}
