#include "codegen/target/nvidia/cases/KernelSet.h"

#include "codegen/target/nvidia/cases/DeviceCase.h"

using namespace mlir;
using namespace moec;
using namespace moec::cases;

KernelSet::KernelSet(std::string target, std::string prefix, MLIRContext &context)
    : target(std::move(target)), prefix(std::move(prefix)),
      module(ModuleOp::create(UnknownLoc::get(&context))) {
  (*module)->setAttr(kern::kTargetAttr, StringAttr::get(&context, this->target));
}

PackageLaunch KernelSet::add(kern::KernelOp kernel) {
  auto [found, isNew] = launches.try_emplace(toText(kernel.getOperation()));
  if (isNew) {
    kern::KernelOp added = kernel.clone();
    module->push_back(added);
    added.setSymName(prefix + std::to_string(launches.size() - 1));
    found->second = {added.getSymName().str(), toGrid(kern::getTarget(*module)->getGrid(added))};
  }
  return found->second;
}

llvm::Expected<codegen::NvidiaImage> KernelSet::emit(std::optional<llvm::StringRef> assembler) {
  if (launches.empty())
    return codegen::NvidiaImage();
  auto chip = codegen::findChip(target);
  if (!chip)
    return chip.takeError();
  return codegen::emitKernels(*module, codegen::NvidiaTarget(**chip), assembler);
}
