#include "codegen/kernels/KernelUses.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace moec;

unsigned moec::codegen::findSlot(ArrayRef<Slot> slots, unsigned value) {
  return llvm::find_if(slots, [&](const Slot &slot) { return slot.value == value; }) -
         slots.begin();
}

int64_t moec::codegen::getMost(kern::KernelOp kernel,
                               llvm::function_ref<int64_t(kern::BoundsAttr)> size) {
  int64_t most = 0;
  for (auto function : kernel->getParentOfType<ModuleOp>().getOps<func::FuncOp>()) {
    auto bounds = function->getAttrOfType<kern::BoundsAttr>("kern.bounds");
    if (!bounds)
      continue;
    function.walk([&](kern::LaunchOp launch) {
      if (launch.getKernel() == kernel.getSymName())
        most = std::max(most, size(bounds));
    });
  }
  return most;
}
