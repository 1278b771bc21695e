// Answers the passes' questions from the kernel families.
#include "codegen/target/cpu/CpuTarget.h"

#include "codegen/kernels/Emitter.h"

#include "mlir/IR/DialectRegistry.h"

#include <numeric>

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

std::optional<std::string> CpuTarget::refuseFusion(kern::Hero hero, Operation *op,
                                                   bool before) const {
  const KernelEmitter *emitter = findHostEmitter(hero);
  if (!emitter)
    return ("the host has no kernels with hero " + kern::stringifyHero(hero)).str();
  return emitter->refuseFusion(op, before);
}

std::optional<std::string> CpuTarget::refuseRowEpilogue(kern::Hero hero, Operation *op,
                                                        uint64_t rows) const {
  const KernelEmitter *emitter = findHostEmitter(hero);
  if (!emitter)
    return TargetModel::refuseRowEpilogue(hero, op, rows);
  return emitter->refuseRowEpilogue(op, rows);
}

int64_t CpuTarget::getInterleaveBlock(kern::GroupOp group) const {
  // Whole scale blocks of the weight, so that a block of rows has its own scales.
  int64_t block = cpu.machine.gateRows;
  for (Operation &op : group.getBody().front())
    if (block && isa<moe::LinearOp, moe::GroupedLinearOp>(op))
      if (moe::QuantSchemeAttr scheme = moe::getScheme(op.getOperand(1).getType()))
        block = std::lcm(block, std::max<int64_t>(scheme.getBlock()[0], 1));
  return block;
}

SmallVector<kern::Candidate> CpuTarget::getCandidates(kern::KernelOp kernel) const {
  if (const KernelEmitter *emitter = findHostEmitter(kernel.getHero()))
    return emitter->getCandidates(kernel, cpu.machine);
  return {{makeSchedule(kernel.getContext(), {}), 0}};
}

std::optional<std::string> CpuTarget::checkSchedule(kern::KernelOp kernel) const {
  const KernelEmitter *emitter = findHostEmitter(kernel.getHero());
  if (!emitter)
    return "the host has no kernels with hero " + kern::stringifyHero(kernel.getHero()).str();
  SmallVector<kern::ScheduleAttr> known;
  for (const Candidate &candidate : emitter->getCandidates(kernel, cpu.machine))
    known.push_back(candidate.schedule);
  return kern::refuseUnknownSchedule(*kernel.getSchedule(), known);
}

kern::GridAttr CpuTarget::getGrid(kern::KernelOp kernel) const {
  if (const KernelEmitter *emitter = findHostEmitter(kernel.getHero()))
    return emitter->getGrid(kernel);
  return kern::GridAttr::get(kernel.getContext(), kern::Dim::One, 1, 1, 0, 1);
}

void moec::codegen::registerCpuTarget(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *, kern::KernDialect *dialect) {
    kern::registerTarget(
        *dialect, "cpu",
        [](StringRef name, std::string &error) -> std::unique_ptr<kern::TargetModel> {
          llvm::Expected<Cpu> cpu = findCpu(name);
          if (cpu)
            return std::make_unique<CpuTarget>(std::move(*cpu));
          error = llvm::toString(cpu.takeError());
          return nullptr;
        });
  });
}
