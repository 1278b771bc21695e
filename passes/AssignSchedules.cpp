// Asks the target how each kernel is to be computed. A kernel that comes with a
// schedule keeps it, if the target can compute it.
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
      if (kernel.getSchedule()) {
        if (std::optional<std::string> reason = target->checkSchedule(kernel)) {
          kernel.emitError() << "target '" << target->getName() << "' cannot compute kernel @"
                             << kernel.getSymName() << " with its schedule: " << *reason;
          return signalPassFailure();
        }
        continue;
      }
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
