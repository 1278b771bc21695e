#include "codegen/target/nvidia/hopper/LatentFamily.h"

#include "codegen/target/nvidia/hopper/FamilyLaunch.h"
#include "codegen/target/nvidia/hopper/ReadLatent.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;
using moec::hopper::LatentKernel;
using moec::hopper::LatentSizes;
using moec::hopper::LatentTile;

static kern::ScheduleAttr makeSchedule(MLIRContext *context, const LatentKernel &kernel,
                                       const LatentTile &tile) {
  LatentSizes sizes(kernel.problem, tile);
  return codegen::makeSchedule(context, {{"tokens", tile.tokens},
                                         {"workers", tile.workers},
                                         {"counters", sizes.getCounters()},
                                         {"scratch", sizes.getScratchBytes()}});
}

static LatentTile getTile(kern::ScheduleAttr schedule) {
  return {schedule.get("tokens"), schedule.get("workers")};
}

static LatentKernel readKernel(kern::KernelOp kernel) {
  LatentKernel read;
  (void)hopper::readLatent(kernel, read); // accepted before
  return read;
}

namespace {

class LatentFamily : public WholeKernelEmitter {
public:
  StringRef getName() const override { return "attention kernels of Hopper over latents"; }

  bool concerns(Operation *op) const override { return isa<moe::LatentAttentionOp>(op); }

  std::optional<std::string> refuse(kern::KernelOp kernel) const override {
    LatentKernel read;
    return hopper::readLatent(kernel, read);
  }

  std::optional<std::string> refuseFusion(Operation *op, bool) const override {
    if (isa<moe::LatentAttentionOp>(op))
      return std::nullopt;
    return "attention over latents is a kernel of its own";
  }

  /// In the order of LatentTile's: which one is best depends on the tokens alone.
  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    LatentKernel read = readKernel(kernel);
    SmallVector<Candidate> candidates;
    for (auto [i, tile] : llvm::enumerate(hopper::getLatentTiles(
             read.problem, hopper::getTokensOfSequence(kernel), machine.workers)))
      candidates.push_back({makeSchedule(kernel.getContext(), read, tile), double(i)});
    return candidates;
  }

  /// Whatever the tokens, all blocks share the work.
  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    LatentTile tile = getTile(*kernel.getSchedule());
    int64_t blocks = hopper::getLaunchShape(readKernel(kernel).problem, tile).maxBlocks;
    return kern::GridAttr::get(kernel.getContext(), kern::Dim::One, 1, 1, /*cap=*/0, blocks);
  }

  FailureOr<LaunchShape> emitKernel(kern::KernelOp kernel, ModuleOp module) const override {
    LatentKernel read = readKernel(kernel);
    LatentTile tile = getTile(*kernel.getSchedule());
    hopper::KernelFrame frame(module, kernel.getSymName(), read.numSlots,
                              hopper::getLaunchShape(read.problem, tile));
    hopper::emitLatentAttention(frame, read.problem, tile);
    if (llvm::Error error = frame.finish())
      return kernel.emitError() << llvm::toString(std::move(error));
    return codegen::getLaunchShape(frame);
  }
};

} // namespace

const WholeKernelEmitter &moec::codegen::getHopperLatentEmitter() {
  static LatentFamily family;
  return family;
}
