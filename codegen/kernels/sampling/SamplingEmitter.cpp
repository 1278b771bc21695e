#include "codegen/kernels/sampling/SamplingEmitter.h"

#include "codegen/kernels/rows/DomainRows.h"
#include "codegen/kernels/sampling/ChooseToken.h"
#include "codegen/kernels/sampling/Chunks.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

static bool isSampling(Operation &op) {
  return isa<moe::ChunkMaximaOp, moe::ChunkMassesOp, moe::SampleOp>(op);
}

/// The op that the kernel is, or null when it holds others too.
static Operation *getOnly(kern::KernelOp kernel) {
  auto ops = kernel.getBody().front().without_terminator();
  return llvm::hasSingleElement(ops) ? &*ops.begin() : nullptr;
}

namespace {

class SamplingEmitter : public KernelEmitter {
public:
  std::optional<std::string> refuseFusion(Operation *, bool) const override {
    return "ops that choose tokens are kernels of their own";
  }

  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    SmallVector<std::pair<StringRef, int64_t>> sizes;
    Operation *op = getOnly(kernel);
    bool isChoice = isa_and_nonnull<moe::SampleOp>(op);
    // On a GPU small tiles, so that one row keeps many multiprocessors busy.
    if (!isChoice)
      sizes.push_back({"chunks", machine.hasTeams() ? kTeamChunks : kHostChunks});
    if (machine.hasTeams())
      sizes.push_back(
          {"threads", isChoice ? machine.threads : std::min(machine.threads, kChunkThreads)});
    return {{makeSchedule(kernel.getContext(), sizes), 0}};
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    kern::RowsAttr rows = getDomainRows(kernel);
    int64_t perRow = 1;
    if (Operation *op = getOnly(kernel); op && !isa<moe::SampleOp>(op)) {
      auto chunk = op->getAttrOfType<IntegerAttr>("chunk").getInt();
      int64_t perTile = kernel.getSchedule() ? kernel.getSchedule()->get("chunks", 1) : 1;
      perRow = countChunkTiles(moe::getShape(op->getOperand(0).getType()).back(), chunk, perTile);
    }
    auto dim = rows ? rows.getDim() : kern::Dim::One;
    return kern::GridAttr::get(kernel.getContext(), dim, (rows ? rows.getMultiplier() : 1) * perRow,
                               1, 0, 1);
  }

  LogicalResult emit(TileFunction &tile) const override {
    Operation *op = getOnly(tile.kernel);
    if (!op || !getDomainRows(tile.kernel))
      return tile.kernel.emitOpError()
             << "that chooses tokens must hold one op and have a result with a run-time row count";
    int64_t perTile = tile.getScheduleSize("chunks", 1);
    if (auto maxima = dyn_cast<moe::ChunkMaximaOp>(op))
      emitChunkMaxima(tile, maxima, perTile);
    else if (auto masses = dyn_cast<moe::ChunkMassesOp>(op))
      emitChunkMasses(tile, masses, perTile);
    else
      ChooseToken(tile, cast<moe::SampleOp>(op)).emit();
    return success();
  }

private:
  static constexpr int64_t kHostChunks = 64, kTeamChunks = 16, kChunkThreads = 256;
};

} // namespace

const KernelEmitter *moec::codegen::findSamplingEmitter(kern::KernelOp kernel) {
  static const SamplingEmitter emitter;
  return llvm::any_of(kernel.getBody().front(), isSampling) ? &emitter : nullptr;
}
