// The host CPU as a target: tile functions run by a thread pool.
#pragma once

#include "codegen/target/cpu/KnownCpus.h"

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace moec::codegen {

class CpuTarget : public kern::TargetModel {
public:
  explicit CpuTarget(Cpu cpu) : cpu(std::move(cpu)) {}

  llvm::StringRef getName() const override { return cpu.name; }
  kern::TargetRates getRates() const override { return cpu.rates; }
  std::optional<std::string> refuseFusion(kern::Hero hero, mlir::Operation *op,
                                          bool before) const override;
  std::optional<std::string> refuseRowEpilogue(kern::Hero hero, mlir::Operation *op,
                                               uint64_t rows) const override;
  int64_t getInterleaveBlock(kern::GroupOp group) const override;
  llvm::SmallVector<kern::Candidate> getCandidates(kern::KernelOp kernel) const override;
  std::optional<std::string> checkSchedule(kern::KernelOp kernel) const override;
  kern::GridAttr getGrid(kern::KernelOp kernel) const override;

  const Cpu &getCpu() const { return cpu; }
  const Machine &getMachine() const { return cpu.machine; }

private:
  Cpu cpu;
};

/// Makes "cpu" and "cpu:<level>" known to the kern dialect of contexts made from `registry`.
void registerCpuTarget(mlir::DialectRegistry &registry);

} // namespace moec::codegen
