// moe.latent_attention on the host: a tile is one token and a block of its heads.
#include "codegen/kernels/attention/LatentTile.h"

#include "codegen/kernels/matmul/MatrixSchedule.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

namespace {

class AttentionEmitter : public KernelEmitter {
public:
  std::optional<std::string> refuseFusion(Operation *op, bool before) const override {
    return "the host's attention kernels hold nothing else";
  }

  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    auto op = findHero<moe::LatentAttentionOp>(kernel);
    int64_t lanes = machine.floatLanes();
    int64_t group = machine.vectorRegisters >= 32 && lanes >= 16 ? 4 : 2;
    int64_t heads = std::min<int64_t>(8, llvm::alignTo(op.getHeads(), group));
    return {{makeSchedule(
                 kernel.getContext(),
                 {{"vector", lanes}, {"heads", heads}, {"head_group", group}, {"positions", 16}}),
             1}};
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    auto op = findHero<moe::LatentAttentionOp>(kernel);
    auto [dim, multiplier] = getRows(kernel);
    return kern::GridAttr::get(kernel.getContext(), dim, multiplier, /*divisor=*/1, /*cap=*/0,
                               llvm::divideCeil(op.getHeads(), kernel.getSchedule()->get("heads")));
  }

  LogicalResult emit(TileFunction &tile) const override {
    auto op = findHero<moe::LatentAttentionOp>(tile.kernel);
    for (Operation &other : op->getBlock()->without_terminator())
      if (&other != op)
        return other.emitError() << "the host's attention kernels hold nothing but the attention";
    LatentTile(tile, op).emit();
    return success();
  }
};

} // namespace

const KernelEmitter &moec::codegen::getAttentionEmitter() {
  static AttentionEmitter emitter;
  return emitter;
}
