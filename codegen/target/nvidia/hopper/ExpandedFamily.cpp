#include "codegen/target/nvidia/hopper/ExpandedFamily.h"

#include "codegen/kernels/KernelUses.h"
#include "codegen/target/nvidia/hopper/ExpandedAttention.h"
#include "codegen/target/nvidia/hopper/FamilyLaunch.h"
#include "codegen/target/nvidia/hopper/GridBarrier.h"
#include "codegen/target/nvidia/hopper/ReadMatmul.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;
using moec::hopper::ExpandedProblem;
using moec::hopper::ExpandedTile;
using Refusal = std::optional<std::string>;

// Sizes that a kernel is laid out for when no program says them.
static constexpr int64_t kManyTokens = 4096, kLongContext = 4096;

static bool isBFloat16(Value value) {
  auto tensor = dyn_cast<RankedTensorType>(value.getType());
  return tensor && tensor.getElementType().isBF16();
}

/// Why there is no kernel for such heads, weights and caches, whatever the queries' type.
static Refusal refuseShape(moe::MlaAttentionOp op) {
  auto cache = cast<moe::CacheType>(op.getCache().getType());
  if (op.getNopeDim() != ExpandedProblem::kPart || op.getVDim() != ExpandedProblem::kPart ||
      op.getRopeDim() != ExpandedProblem::kRope)
    return llvm::formatv("heads of {0} + {1} and {2} columns, not of 128 + 64 and 128",
                         op.getNopeDim(), op.getRopeDim(), op.getVDim())
        .str();
  if (!cache.getElementType().isBF16() || cache.getWidth() != ExpandedProblem::kWidth ||
      cache.getPage() % 64)
    return "its cache has not 576 columns of bf16 in pages of multiples of 64 rows";
  auto weight = dyn_cast<moe::QTensorType>(op.getUpWeight().getType());
  bool isFp8 = weight && isa<Float8E4M3FNType>(weight.getScheme().getStorage()) &&
               weight.getScheme().getScale().isF32() &&
               weight.getScheme().getBlock() == ArrayRef<int64_t>{128, 128};
  if (!isFp8 && !isBFloat16(op.getUpWeight()))
    return "its weight is neither bf16 nor E4M3 with f32 scales per 128x128";
  return std::nullopt;
}

namespace {

struct ExpandedKernel {
  ExpandedProblem problem;
  unsigned numSlots = 0;

  Refusal read(kern::KernelOp kernel);
};

} // namespace

Refusal ExpandedKernel::read(kern::KernelOp kernel) {
  auto ops = kernel.getBody().front().without_terminator();
  auto op = llvm::hasSingleElement(ops) ? dyn_cast<moe::MlaAttentionOp>(*ops.begin()) : nullptr;
  auto isArgument = [](Value value) { return isa<BlockArgument>(value); };
  if (!op || !llvm::all_of(op->getOperands(), isArgument) || kernel.getNumResults() != 1)
    return "it is not one moe.mla_attention of its arguments";
  if (auto refusal = refuseShape(op))
    return refusal;
  if (!isBFloat16(op.getQ()) || !isBFloat16(op.getResult()))
    return "its queries or results are not bf16";
  SmallVector<codegen::Slot> slots = codegen::getSlots(kernel);
  auto getSlot = [&](unsigned value) { return codegen::findSlot(slots, value); };
  auto getArgument = [&](Value value) {
    return getSlot(cast<BlockArgument>(value).getArgNumber());
  };
  unsigned result = kernel.getNumArguments();
  problem.q = getArgument(op.getQ());
  problem.weight = getArgument(op.getUpWeight());
  if (isa<moe::QTensorType>(op.getUpWeight().getType()))
    problem.scales = problem.weight + 1;
  problem.cache = getArgument(op.getCache());
  problem.positions = getArgument(op.getPositions());
  problem.sequences = getArgument(op.getSequences());
  problem.blockTable = getArgument(op.getBlockTable());
  problem.result = getSlot(result);
  problem.counters = problem.result + 1;
  problem.scratch = problem.counters + 1;
  numSlots = problem.scratch + 1;
  problem.heads = op.getHeads();
  problem.page = cast<moe::CacheType>(op.getCache().getType()).getPage();
  problem.qStride = kernel.getRowStrides()[cast<BlockArgument>(op.getQ()).getArgNumber()];
  problem.resultStride = kernel.getRowStrides()[result];
  problem.scale = op.getScale().convertToDouble();
  return problem.refuse();
}

static ExpandedKernel readAccepted(kern::KernelOp kernel) {
  ExpandedKernel read;
  (void)read.read(kernel);
  return read;
}

/// The longest context of a program that launches the kernel.
static int64_t getLongestContext(kern::KernelOp kernel) {
  int64_t longest =
      getMost(kernel, [](kern::BoundsAttr bounds) { return bounds.getContextLength(); });
  return longest ? longest : kLongContext;
}

static ExpandedTile getTile(kern::ScheduleAttr schedule) {
  ExpandedTile tile;
  tile.rows = schedule.get("rows");
  tile.rounds = schedule.get("rounds");
  tile.stages = schedule.get("stages");
  tile.weightStages = schedule.get("weight_stages");
  tile.blocks = schedule.get("blocks");
  return tile;
}

namespace {

class ExpandedFamily : public WholeKernelEmitter {
public:
  StringRef getName() const override { return "attention kernels of Hopper over expanded latents"; }

  bool concerns(Operation *op) const override { return isa<moe::MlaAttentionOp>(op); }

  Refusal refuse(kern::KernelOp kernel) const override {
    if (kernel.getHero() != kern::Hero::Attention)
      return "its hero is no attention";
    return ExpandedKernel().read(kernel);
  }

  bool wants(Operation *op) const override {
    auto attention = dyn_cast<moe::MlaAttentionOp>(op);
    return attention && !refuseShape(attention);
  }

  Refusal refuseFusion(Operation *op, bool) const override {
    if (isa<moe::MlaAttentionOp>(op))
      return std::nullopt;
    return "attention over expanded latents is a kernel of its own";
  }

  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    ExpandedKernel read = readAccepted(kernel);
    ExpandedTile tile =
        hopper::getExpandedTile(read.problem, hopper::getMostRows(kernel, kManyTokens),
                                getLongestContext(kernel), machine.workers);
    return {{makeSchedule(kernel.getContext(), {{"blocks", tile.blocks},
                                                {"counters", hopper::GridBarrier::kCounters},
                                                {"rounds", tile.rounds},
                                                {"rows", tile.rows},
                                                {"scratch", tile.getScratchBytes(read.problem)},
                                                {"stages", tile.stages},
                                                {"weight_stages", tile.weightStages}}),
             0}};
  }

  /// Whatever the tokens, all blocks share the work.
  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    return kern::GridAttr::get(kernel.getContext(), kern::Dim::One, 1, 1, /*cap=*/0,
                               getTile(*kernel.getSchedule()).blocks);
  }

  FailureOr<LaunchShape> emitKernel(kern::KernelOp kernel, ModuleOp module) const override {
    ExpandedKernel read = readAccepted(kernel);
    ExpandedTile tile = getTile(*kernel.getSchedule());
    hopper::KernelFrame frame(module, kernel.getSymName(), read.numSlots,
                              hopper::getLaunchShape(tile));
    hopper::emitExpandedAttention(frame, read.problem, tile);
    if (llvm::Error error = frame.finish())
      return kernel.emitError() << llvm::toString(std::move(error));
    return getLaunchShape(frame);
  }
};

} // namespace

const WholeKernelEmitter &moec::codegen::getHopperExpandedEmitter() {
  static ExpandedFamily family;
  return family;
}
