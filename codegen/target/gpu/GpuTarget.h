// A GPU as a target: thread blocks run tile functions. What all GPUs answer alike, from a machine's
// numbers and rates; the vendors' folders have the chips, the lowering, and families of kernels.
#pragma once

#include "codegen/target/gpu/WholeKernel.h"
#include "dialects/kern/TargetModel.h"

#include "llvm/Support/Error.h"

namespace moec::codegen {

class GpuTarget : public kern::TargetModel {
public:
  GpuTarget(std::string name, const Machine &machine, const kern::TargetRates &rates)
      : name(std::move(name)), machine(machine), rates(rates) {}

  llvm::StringRef getName() const override { return name; }
  kern::TargetRates getRates() const override { return rates; }
  /// bf16: half the bytes between kernels, and what matrix engines read.
  mlir::Type getActivationType(mlir::MLIRContext *context) const override;
  /// 4096: its arithmetic wants hundreds of tokens for each expert, and few rows expanded twice.
  int64_t getPrefillChunk() const override;
  std::optional<std::string> refuseFusion(kern::Hero hero, mlir::Operation *op,
                                          bool before) const override;
  /// What the first of the chip's own families says that is for such products.
  std::optional<std::string> refuseNormPrologue(moe::RmsNormOp norm, moe::LinearOp linear,
                                                uint64_t rows) const override;
  /// Says by remarks why the chip's own families leave a kernel to those of teams.
  llvm::SmallVector<Candidate> getCandidates(kern::KernelOp kernel) const override;
  std::optional<std::string> checkSchedule(kern::KernelOp kernel) const override;
  kern::GridAttr getGrid(kern::KernelOp kernel) const override;
  llvm::SmallVector<int64_t> getEarlyArguments(kern::KernelOp kernel) const override;
  bool holdsBackNext(kern::KernelOp kernel) const override;

  const Machine &getMachine() const { return machine; }

  /// The family that computes `kernel`, or null: one of the chip's own that accepts it, else that
  /// of teams. What can be fused is what the latter takes, so that every group has a family.
  const KernelEmitter *findEmitter(kern::KernelOp kernel) const;

  /// Whether a kernel may begin before the launch before it has ended, and wait by itself.
  virtual bool canLaunchEarly() const { return false; }

  /// The chip's own families, the preferred ones first.
  virtual llvm::ArrayRef<const WholeKernelEmitter *> getWholeKernelEmitters() const { return {}; }

private:
  llvm::SmallVector<Candidate> listCandidates(kern::KernelOp kernel) const;
  /// The chip's own family that computes `kernel`, or null.
  const WholeKernelEmitter *findWholeEmitter(kern::KernelOp kernel) const;

  std::string name;
  Machine machine;
  kern::TargetRates rates;
};

/// A kernel with what it takes to launch it.
struct GpuKernel {
  kern::KernelOp kernel;
  LaunchShape launch;
  bool isWhole = false;        // has its entry point already
  unsigned workspaceSpace = 0; // address space of a tile's shared memory
};
struct GpuTiles {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<GpuKernel> kernels;
};

/// The tile functions of all kernels of `module`. What cannot be emitted is reported for all
/// kernels at once, each with its label and the reason.
llvm::Expected<GpuTiles> buildGpuTiles(mlir::ModuleOp module, const GpuTarget &target);

} // namespace moec::codegen
