// Asks the target how each kernel is to be computed. A kernel that comes with a
// schedule, or that one was measured for, keeps it, if the target can compute it.
#include "dialects/kern/TargetModel.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "passes/Schedules.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using llvm::formatv;

namespace moec::passes {
#define GEN_PASS_DEF_ASSIGNSCHEDULES
#include "passes/Passes.h.inc"

std::string getFingerprint(kern::KernelOp kernel) {
  OwningOpRef<kern::KernelOp> plain = kernel.clone();
  plain->removeScheduleAttr();
  plain->setSymName("kernel");
  std::string text;
  llvm::raw_string_ostream stream(text);
  plain->print(stream, OpPrintingFlags().useLocalScope());
  return llvm::utohexstr(llvm::xxh3_64bits(text), /*LowerCase=*/true, 16);
}

namespace {

std::string print(kern::ScheduleAttr schedule) {
  std::string text;
  llvm::ListSeparator comma;
  for (NamedAttribute size : schedule.getSizes())
    if (auto value = dyn_cast<IntegerAttr>(size.getValue()))
      text += formatv("{0}{1} = {2}", StringRef(comma), size.getName().getValue(), value.getInt());
  return text;
}

struct AssignSchedules : impl::AssignSchedulesBase<AssignSchedules> {
  void runOnOperation() override {
    target = kern::getTarget(getOperation());
    if (!target || failed(readMeasured()))
      return signalPassFailure();
    for (auto kernel : getOperation().getOps<kern::KernelOp>())
      if (failed(assign(kernel)))
        return signalPassFailure();
    getOperation()->removeAttr(kSchedulesAttr);
  }

  /// What was measured must be about kernels that are there.
  LogicalResult readMeasured() {
    measured = getOperation()->getAttrOfType<DictionaryAttr>(kSchedulesAttr);
    if (!measured)
      return success();
    for (NamedAttribute row : measured) {
      auto kernel = getOperation().lookupSymbol<kern::KernelOp>(row.getName());
      if (!kernel)
        return getOperation().emitError()
               << "there is a measured schedule for kernel '" << row.getName().getValue()
               << "', which this model does not have: it was measured for another model or other "
                  "options; tune again";
      auto entry = dyn_cast<DictionaryAttr>(row.getValue());
      if (!entry || !entry.getAs<kern::ScheduleAttr>("schedule") ||
          !entry.getAs<StringAttr>("fingerprint"))
        return kernel.emitError() << "its entry in '" << kSchedulesAttr
                                  << "' must have a fingerprint and a schedule";
    }
    return success();
  }

  LogicalResult assign(kern::KernelOp kernel) {
    if (kernel.getSchedule())
      return check(kernel, "its schedule");
    if (Attribute row = measured ? measured.get(kernel.getSymName()) : Attribute())
      return assignMeasured(kernel, cast<DictionaryAttr>(row));
    return choose(kernel);
  }

  LogicalResult check(kern::KernelOp kernel, StringRef what) {
    if (std::optional<std::string> reason = target->checkSchedule(kernel))
      return kernel.emitError() << "target '" << target->getName() << "' cannot compute kernel @"
                                << kernel.getSymName() << " with " << what << ": " << *reason;
    return success();
  }

  LogicalResult assignMeasured(kern::KernelOp kernel, DictionaryAttr row) {
    std::string fingerprint = getFingerprint(kernel);
    StringRef given = row.getAs<StringAttr>("fingerprint").getValue();
    if (given != fingerprint)
      return kernel.emitError() << "the measured schedule of kernel '" << kernel.getSymName()
                                << "' is for one of fingerprint " << given << "; this model's has "
                                << fingerprint << ": tune again";
    kernel.setScheduleAttr(row.getAs<kern::ScheduleAttr>("schedule"));
    report(kernel, "measured");
    return check(kernel, "its measured schedule");
  }

  LogicalResult choose(kern::KernelOp kernel) {
    SmallVector<kern::Candidate> candidates = target->getCandidates(kernel);
    if (candidates.empty())
      return kernel.emitError() << "target '" << target->getName()
                                << "' has no schedule for kernel @" << kernel.getSymName();
    auto cheaper = [](const kern::Candidate &lhs, const kern::Candidate &rhs) {
      return lhs.cost < rhs.cost;
    };
    kern::Candidate best = *llvm::min_element(candidates, cheaper);
    kernel.setScheduleAttr(best.schedule);
    std::string others = "the only candidate";
    if (candidates.size() > 1) {
      size_t count = candidates.size();
      candidates.erase(llvm::min_element(candidates, cheaper));
      kern::Candidate next = *llvm::min_element(candidates, cheaper);
      others = formatv("the cheapest of {0} candidates, cost {1:f2}; the next {2:f2} with {3}",
                       count, best.cost, next.cost, print(next.schedule));
    }
    report(kernel, others);
    return success();
  }

  void report(kern::KernelOp kernel, StringRef how) {
    std::string sizes = print(*kernel.getSchedule());
    reportAnalysis(kernel, getArgument(),
                   formatv("{0}{1}{2}", sizes, sizes.empty() ? "" : "; ", how));
  }

  const kern::TargetModel *target = nullptr;
  DictionaryAttr measured; // or null
};

} // namespace
} // namespace moec::passes
