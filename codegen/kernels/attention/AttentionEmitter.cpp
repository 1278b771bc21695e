// Attention on the host. Over latents a tile is one token and a block of its heads, the product of
// the heads behind it; over expanded keys and values a tile is one head and a block of tokens; over
// cached keys and values it is some heads that share them and a block of tokens.
#include "codegen/kernels/attention/GqaTile.h"
#include "codegen/kernels/attention/LatentTile.h"
#include "codegen/kernels/attention/MlaTile.h"
#include "codegen/kernels/matmul/MatrixSchedule.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

namespace {

/// The kernel's attention when it is of this kind, or null.
template <typename Op> Op find(kern::KernelOp kernel) {
  auto ops = kernel.getBody().front().getOps<Op>();
  return ops.empty() ? Op() : *ops.begin();
}

/// Whether the kernel's quantization, if it has one, allows tiles of so many heads.
bool allowsHeads(kern::KernelOp kernel, int64_t heads) {
  for (auto quantize : kernel.getBody().front().getOps<moe::QuantizeOp>())
    if (auto product = quantize.getX().getDefiningOp<moe::HeadLinearOp>())
      return HeadOutput::endsBlocks(product, quantize, heads);
  return true;
}

/// The time of one token's tiles, in scores of one head: each tile fetches the context anew, and a
/// register tile of few heads loads it more often; many heads a tile leave workers idle.
double getLatentCost(int64_t allHeads, int64_t heads, int64_t group, const Machine &machine) {
  constexpr double fetch = 0.5, load = 0.5;
  int64_t tiles = llvm::divideCeil(allHeads, heads);
  double rounds = double(llvm::divideCeil(tiles, machine.workers));
  return rounds * (fetch + double(heads) * (1 + load / double(group)));
}

SmallVector<Candidate> getLatentCandidates(kern::KernelOp kernel, const Machine &machine) {
  auto op = findHero<moe::LatentAttentionOp>(kernel);
  int64_t allHeads = op.getHeads();
  SmallVector<Candidate> candidates;
  int64_t most = std::min<int64_t>(kMostHeads, llvm::PowerOf2Ceil(allHeads));
  for (int64_t heads = most; heads; heads /= 2) {
    // What not even the widest tile can do is refused when it is emitted.
    if (heads < most && !allowsHeads(kernel, heads))
      continue;
    int64_t group = std::min(getTokenGroup(machine), heads);
    candidates.push_back({makeSchedule(kernel.getContext(), {{"vector", machine.floatLanes()},
                                                             {"heads", heads},
                                                             {"head_group", group},
                                                             {"positions", 16}}),
                          getLatentCost(allHeads, heads, group, machine)});
  }
  return candidates;
}

Candidate getMlaCandidate(kern::KernelOp kernel, const Machine &machine, int64_t group) {
  auto op = findHero<moe::MlaAttentionOp>(kernel);
  int64_t rows = 4, columns = llvm::alignTo(op.getNopeDim() + op.getVDim(), rows);
  return {makeSchedule(kernel.getContext(),
                       {{"vector", machine.floatLanes()},
                        {"tokens", 256},
                        {"group", group},
                        {"positions", 64},
                        {"rows", rows},
                        {"depth", getPanelDepth(kernel, machine, columns, rows, group)}}),
          1};
}

class AttentionEmitter : public KernelEmitter {
public:
  std::optional<std::string> refuseFusion(Operation *op, bool before) const override {
    if (isa<moe::AttentionOp, moe::LatentAttentionOp, moe::MlaAttentionOp>(op))
      return std::nullopt;
    if (before)
      return "the host's attention kernels read their operands from memory";
    auto quantize = dyn_cast<moe::QuantizeOp>(op);
    if (quantize && quantize.getX().getDefiningOp<moe::MlaAttentionOp>())
      return MlaTile::refuse(quantize);
    if (quantize && quantize.getX().getDefiningOp<moe::AttentionOp>())
      return GqaTile::refuse(quantize);
    return HeadOutput::refuse(op);
  }

  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    if (find<moe::AttentionOp>(kernel))
      return GqaTile::getCandidates(kernel, machine);
    if (find<moe::MlaAttentionOp>(kernel))
      return {getMlaCandidate(kernel, machine, getTokenGroup(machine))};
    return getLatentCandidates(kernel, machine);
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    auto [dim, multiplier] = getRows(kernel);
    int64_t divisor = 1, factor;
    kern::ScheduleAttr schedule = *kernel.getSchedule();
    if (auto mla = find<moe::MlaAttentionOp>(kernel)) {
      divisor = schedule.get("tokens");
      factor = mla.getHeads();
    } else if (auto attention = find<moe::AttentionOp>(kernel)) {
      divisor = schedule.get("tokens");
      factor = GqaTile::countTiles(attention, schedule);
    } else {
      auto op = findHero<moe::LatentAttentionOp>(kernel);
      factor = llvm::divideCeil(op.getHeads(), schedule.get("heads"));
    }
    return kern::GridAttr::get(kernel.getContext(), dim, multiplier, divisor, /*cap=*/0, factor);
  }

  LogicalResult emit(TileFunction &tile) const override {
    if (auto op = find<moe::AttentionOp>(tile.kernel)) {
      auto attention = GqaTile::get(tile, op);
      if (failed(attention))
        return failure();
      attention->emit();
      return success();
    }
    if (auto mla = find<moe::MlaAttentionOp>(tile.kernel)) {
      auto attention = MlaTile::get(tile, mla);
      if (failed(attention))
        return failure();
      attention->emit();
      return success();
    }
    auto op = findHero<moe::LatentAttentionOp>(tile.kernel);
    auto product = HeadOutput::get(tile, op);
    if (failed(product))
      return failure();
    LatentTile(tile, op, product->get()).emit();
    return success();
  }
};

} // namespace

const KernelEmitter &moec::codegen::getAttentionEmitter() {
  static AttentionEmitter emitter;
  return emitter;
}
