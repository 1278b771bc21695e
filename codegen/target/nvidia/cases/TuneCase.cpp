#include "codegen/target/nvidia/cases/TuneCase.h"

#include "codegen/target/nvidia/cases/DeviceCase.h"
#include "codegen/target/nvidia/cases/KernelSet.h"

#include "mlir/Parser/Parser.h"

using namespace mlir;
using namespace moec;
using namespace moec::cases;

namespace {

class Packer {
public:
  Packer(const TuneCase &tuned, const std::string &target, const std::string &reference)
      : tuned(tuned), context(*tuned.bounds.getContext()), kernels(target, "k", context),
        references(reference, "reference", context) {}

  llvm::Expected<std::vector<uint8_t>> pack(std::optional<llvm::StringRef> assembler);

private:
  llvm::Error parse();
  SmallVector<kern::ScheduleAttr> listSchedules();
  PackageLaunch addReference();
  llvm::Error addCases(ArrayRef<kern::ScheduleAttr> schedules);
  const kern::TargetModel *getTarget(const std::string &name);

  const TuneCase &tuned;
  MLIRContext &context;
  KernelSet kernels, references;
  OwningOpRef<ModuleOp> module;
  kern::KernelOp kernel;
  std::vector<PackageCase> cases;
};

} // namespace

llvm::Error Packer::parse() {
  module = parseSourceString<ModuleOp>(tuned.kernel, &context);
  if (module)
    for (auto found : module->getOps<kern::KernelOp>())
      kernel = found;
  if (!kernel || !kernel.getSchedule())
    return llvm::createStringError("the bundle's text of a kernel is no scheduled kern.kernel");
  addCaller(kernel, tuned.bounds);
  return llvm::Error::success();
}

const kern::TargetModel *Packer::getTarget(const std::string &name) {
  (*module)->setAttr(kern::kTargetAttr, StringAttr::get(&context, name));
  return kern::getTarget(*module);
}

/// The kernel's own first.
SmallVector<kern::ScheduleAttr> Packer::listSchedules() {
  SmallVector<kern::ScheduleAttr> schedules = {*kernel.getSchedule()};
  for (const kern::Candidate &candidate : getTarget(kernels.target)->getCandidates(kernel))
    if (!llvm::is_contained(schedules, candidate.schedule))
      schedules.push_back(candidate.schedule);
  return schedules;
}

PackageLaunch Packer::addReference() {
  kern::ScheduleAttr own = *kernel.getSchedule();
  const kern::TargetModel *target = getTarget(references.target);
  kernel.removeScheduleAttr();
  kernel.setScheduleAttr(target->chooseSchedule(kernel));
  PackageLaunch launch = references.add(kernel);
  kernel.setScheduleAttr(own);
  return launch;
}

llvm::Error Packer::addCases(ArrayRef<kern::ScheduleAttr> schedules) {
  // Sequences that each decode a token, or one prompt.
  bool decodes = tuned.bounds.getTokens() <= tuned.bounds.getSequences();
  reference::InputDims dims{
      .tokens = tuned.bounds.getTokens(),
      .sequences = decodes ? tuned.bounds.getSequences() : 1,
      .outputRows = tuned.bounds.getOutputRows(),
      .earlierTokens = decodes ? std::max<int64_t>(tuned.bounds.getContextLength() / 2, 1) : 1};
  PackageLaunch reference = addReference();
  CaseCost cost = getCost(kernel, tuned.bounds);
  for (kern::ScheduleAttr schedule : schedules) {
    kernel.setScheduleAttr(schedule); // scratch and counters are the schedule's
    auto made = makeDeviceCase(kernel, dims);
    if (!made)
      return made.takeError();
    PackageCase &added = cases.emplace_back();
    added.name = toText(Attribute(schedule));
    added.slots = std::move(made->slots);
    added.dims = made->dims;
    added.launch = kernels.add(kernel);
    added.reference = reference;
    added.bytes = cost.bytes;
    added.flops = cost.flops;
  }
  return llvm::Error::success();
}

llvm::Expected<std::vector<uint8_t>> Packer::pack(std::optional<llvm::StringRef> assembler) {
  if (llvm::Error error = parse())
    return error;
  SmallVector<kern::ScheduleAttr> schedules = listSchedules();
  if (schedules.size() == 1)
    return std::vector<uint8_t>();
  if (llvm::Error error = addCases(schedules))
    return error;
  auto image = kernels.emit(assembler);
  if (!image)
    return image.takeError();
  auto reference = references.emit(std::nullopt);
  if (!reference)
    return reference.takeError();
  return makePackage(*image, *reference, kernels.target, cases);
}

llvm::Expected<std::vector<uint8_t>>
moec::cases::packCandidates(const TuneCase &tuned, const std::string &target,
                            const std::string &reference,
                            std::optional<llvm::StringRef> assembler) {
  return Packer(tuned, target, reference).pack(assembler);
}
