// Asks the target how each kernel is to be computed.
#include "passes/Passes.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_ASSIGNSCHEDULES
#include "passes/Passes.h.inc"

namespace {

struct AssignSchedules : impl::AssignSchedulesBase<AssignSchedules> {
  void runOnOperation() override {
    const kern::TargetModel *target = kern::getTarget(getOperation());
    if (!target)
      return signalPassFailure();
    for (auto kernel : getOperation().getOps<kern::KernelOp>()) {
      kern::ScheduleAttr schedule = target->chooseSchedule(kernel);
      if (!schedule) {
        kernel.emitError() << "target '" << target->getName() << "' has no schedule for kernel @"
                           << kernel.getSymName();
        return signalPassFailure();
      }
      kernel.setScheduleAttr(schedule);
    }
  }
};

} // namespace
} // namespace moec::passes
