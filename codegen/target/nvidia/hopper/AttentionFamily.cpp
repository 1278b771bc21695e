#include "codegen/target/nvidia/hopper/AttentionFamily.h"

#include "codegen/target/nvidia/hopper/FamilyLaunch.h"
#include "codegen/target/nvidia/hopper/ReadAttention.h"
#include "codegen/target/nvidia/hopper/ReadMatmul.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;
using moec::hopper::AttentionKernel;
using moec::hopper::AttentionTile;

// Rows that a kernel is laid out for when no program says how many there are.
static constexpr int64_t kManyTokens = 8192;

static AttentionKernel readKernel(kern::KernelOp kernel) {
  AttentionKernel read;
  (void)hopper::readAttention(kernel, read); // accepted before
  return read;
}

static kern::ScheduleAttr makeSchedule(MLIRContext *context, const AttentionKernel &read,
                                       const AttentionTile &tile) {
  SmallVector<std::pair<StringRef, int64_t>> sizes = {{"consumers", tile.consumers},
                                                      {"stages", tile.stages},
                                                      {"blocks", tile.blocks},
                                                      {"ping_pong", tile.pingPong},
                                                      {"split", tile.split}};
  if (tile.split) {
    sizes.push_back({"tokens", tile.mostTokens});
    sizes.push_back({"least_part", tile.leastPart});
    sizes.push_back({"counters", tile.getNumCounters()});
    sizes.push_back({"scratch", tile.getScratchBytes(read.problem)});
  }
  return codegen::makeSchedule(context, sizes);
}

static AttentionTile getTile(kern::ScheduleAttr schedule) {
  AttentionTile tile;
  tile.consumers = schedule.get("consumers");
  tile.stages = schedule.get("stages");
  tile.blocks = schedule.get("blocks");
  tile.pingPong = schedule.get("ping_pong");
  tile.split = schedule.get("split");
  tile.mostTokens = schedule.get("tokens");
  tile.leastPart = schedule.get("least_part");
  return tile;
}

namespace {

class AttentionFamily : public WholeKernelEmitter {
public:
  StringRef getName() const override { return "attention kernels of Hopper"; }

  bool concerns(Operation *op) const override { return isa<moe::AttentionOp>(op); }

  std::optional<std::string> refuse(kern::KernelOp kernel) const override {
    AttentionKernel read;
    return hopper::readAttention(kernel, read);
  }

  std::optional<std::string> refuseFusion(Operation *op, bool) const override {
    if (isa<moe::AttentionOp>(op))
      return std::nullopt;
    return "attention over cached keys and values is a kernel of its own";
  }

  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    AttentionKernel read = readKernel(kernel);
    int64_t most = hopper::getMostRows(kernel, kManyTokens);
    SmallVector<Candidate> candidates;
    for (auto [i, tile] : llvm::enumerate(hopper::getAttentionTiles(most, machine.workers)))
      candidates.push_back({makeSchedule(kernel.getContext(), read, tile), double(i)});
    return candidates;
  }

  /// Whatever the tokens, all blocks share the work.
  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    return kern::GridAttr::get(kernel.getContext(), kern::Dim::One, 1, 1, /*cap=*/0,
                               getTile(*kernel.getSchedule()).blocks);
  }

  FailureOr<LaunchShape> emitKernel(kern::KernelOp kernel, ModuleOp module) const override {
    AttentionKernel read = readKernel(kernel);
    AttentionTile tile = getTile(*kernel.getSchedule());
    hopper::KernelFrame frame(module, kernel.getSymName(), read.numSlots,
                              hopper::getLaunchShape(tile));
    hopper::emitPagedAttention(frame, read.problem, tile);
    if (llvm::Error error = frame.finish())
      return kernel.emitError() << llvm::toString(std::move(error));
    return getLaunchShape(frame);
  }
};

} // namespace

const WholeKernelEmitter &moec::codegen::getHopperAttentionEmitter() {
  static AttentionFamily family;
  return family;
}
