#include "codegen/target/nvidia/hopper/DenseFamily.h"

#include "codegen/target/nvidia/hopper/DenseMatmul.h"
#include "codegen/target/nvidia/hopper/DenseRing.h"
#include "codegen/target/nvidia/hopper/FamilyLaunch.h"
#include "codegen/target/nvidia/hopper/ReadMatmul.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;
using moec::hopper::DenseProblem;
using moec::hopper::DenseRingTile;
using moec::hopper::DenseTile;
using moec::hopper::EpilogueSpec;
using moec::hopper::MatmulSize;

// A schedule with `tokens` is one of the ring's.
static constexpr llvm::StringLiteral kTokens = "tokens";
static constexpr size_t kMostCandidates = 8; // of either form
// What interleaved gates must be a multiple of, so that some tile fits into a run of them.
static constexpr int64_t kLeastColumns = 64;

static kern::ScheduleAttr makeSchedule(MLIRContext *context, const DenseTile &tile) {
  return codegen::makeSchedule(context, {{"rows", tile.rows},
                                         {"columns", tile.columns},
                                         {"column_waves", tile.columnWaves},
                                         {"consumers", tile.consumers},
                                         {"stages", tile.stages},
                                         {"staged", tile.staged},
                                         {"workers", tile.workers}});
}

static DenseTile getDenseTile(kern::ScheduleAttr schedule) {
  DenseTile tile;
  tile.rows = schedule.get("rows");
  tile.columns = schedule.get("columns");
  tile.columnWaves = schedule.get("column_waves");
  tile.consumers = schedule.get("consumers");
  tile.stages = schedule.get("stages");
  tile.staged = schedule.get("staged");
  tile.workers = schedule.get("workers");
  return tile;
}

static kern::ScheduleAttr makeSchedule(MLIRContext *context, const DenseRingTile &tile) {
  return codegen::makeSchedule(context, {{kTokens, tile.tokens},
                                         {"rows", tile.rows},
                                         {"consumers", tile.consumers},
                                         {"split", tile.split},
                                         {"boxes", tile.boxes},
                                         {"stages", tile.stages},
                                         {"blocks", tile.blocks},
                                         {"workers", tile.workers}});
}

static DenseRingTile getRingTile(kern::ScheduleAttr schedule) {
  DenseRingTile tile;
  tile.tokens = schedule.get(kTokens);
  tile.rows = schedule.get("rows");
  tile.consumers = schedule.get("consumers");
  tile.split = schedule.get("split");
  tile.boxes = schedule.get("boxes");
  tile.stages = schedule.get("stages");
  tile.blocks = schedule.get("blocks");
  tile.workers = schedule.get("workers");
  return tile;
}

namespace {

/// A kernel's body, read.
struct DenseKernel {
  DenseProblem problem;
  EpilogueSpec epilogue;
  unsigned numSlots = 0;
};

} // namespace

/// Fills `into`, or says why the family does not compute `kernel`.
static std::optional<std::string> read(kern::KernelOp kernel, DenseKernel &into) {
  hopper::MatmulKernel matmul;
  if (auto refusal = hopper::readMatmul(kernel, matmul))
    return refusal;
  if (!matmul.isDense)
    return "its operands are quantized";
  const hopper::BlockScaledProblem &from = matmul.problem;
  DenseProblem &problem = into.problem;
  problem.x = from.xCodes, problem.w = from.wCodes;
  problem.rowsDim = from.rowsDim, problem.rowsMultiplier = from.rowsMultiplier;
  problem.weightRows = from.weightRows, problem.k = from.k;
  problem.columns = from.columns, problem.interleave = from.interleave;
  problem.groups = from.groups;
  problem.norm = matmul.norm;
  into.epilogue = matmul.epilogue;
  into.numSlots = matmul.numSlots;
  if (problem.interleave % kLeastColumns)
    return "gates lie in turn with what they gate in runs of " +
           std::to_string(problem.interleave) + " rows, no multiple of " +
           std::to_string(kLeastColumns);
  return problem.refuse();
}

static DenseKernel readAccepted(kern::KernelOp kernel) {
  DenseKernel dense;
  (void)read(kernel, dense);
  return dense;
}

static MatmulSize getSize(kern::KernelOp kernel, const DenseKernel &dense) {
  const EpilogueSpec &spec = dense.epilogue;
  bool isPlain = !spec.quantized && spec.stores.size() == 1 &&
                 spec.stores[0].element == EpilogueSpec::Element::BFloat16;
  return {.m = hopper::getMostRows(kernel, hopper::kManyRows),
          .n = dense.problem.columns,
          .k = dense.problem.k,
          .columnWaves = spec.gated ? 2 : 1,
          .columnMultiple = spec.quantized ? 128 : 8,
          .canStage = isPlain,
          .interleave = dense.problem.interleave,
          .groups = dense.problem.groups ? dense.problem.groups->count : 0,
          .isGathered = dense.problem.isGathered(),
          .normalises = dense.problem.norm.has_value()};
}

namespace {

class DenseFamily : public WholeKernelEmitter {
public:
  StringRef getName() const override { return "BF16 products of Hopper"; }

  bool concerns(Operation *op) const override {
    return isa<moe::LinearOp, moe::GroupedLinearOp>(op) &&
           !isa<moe::QTensorType>(op->getOperand(1).getType());
  }

  std::optional<std::string> refuse(kern::KernelOp kernel) const override {
    DenseKernel dense;
    return read(kernel, dense);
  }

  std::optional<std::string> refuseFusion(Operation *op, bool before) const override {
    if (before)
      return "BF16 products have no prologue";
    if (isa<moe::AddOp, moe::SliceOp, moe::DeinterleaveOp, moe::SwigluOp, moe::QuantizeOp>(op))
      return std::nullopt;
    return (op->getName().getStringRef() + " cannot follow a BF16 product").str();
  }

  /// Shapes of which the ring has tiles, whatever follows the product.
  std::optional<std::string> refuseNormPrologue(moe::RmsNormOp norm, moe::LinearOp linear,
                                                uint64_t rows) const override {
    if (auto refusal = hopper::refuseNorm(norm, rows))
      return refusal;
    if (!getElementTypeOrSelf(linear.getWeight()).isBF16())
      return "only products of bf16 normalise rows, in bf16";
    ArrayRef<int64_t> shape = moe::getShape(linear.getWeight().getType());
    if (norm.getX().getDefiningOp<moe::SliceOp>() || shape[0] % 128 || shape[1] % 128)
      return "products normalise whole rows, of multiples of 128 columns, into as many";
    return std::nullopt;
  }

  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    MatmulSize size = getSize(kernel, readAccepted(kernel));
    SmallVector<Candidate> candidates;
    auto add = [&](const auto &tiles) {
      for (const auto &tile : ArrayRef(tiles).take_front(kMostCandidates))
        candidates.push_back({makeSchedule(kernel.getContext(), tile),
                              hopper::estimateCost(tile, size, machine.workers)});
    };
    add(hopper::getDenseRingTiles(size, machine.workers));
    if (!size.normalises)
      add(hopper::getDenseTiles(size, machine.workers));
    return candidates;
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    DenseKernel dense = readAccepted(kernel);
    kern::ScheduleAttr schedule = *kernel.getSchedule();
    int64_t tokens = schedule.get(kTokens);
    int64_t columns = schedule.get(tokens ? "rows" : "columns");
    int64_t factor = llvm::divideCeil(dense.problem.columns, columns);
    int64_t tileRows = tokens ? tokens : schedule.get("rows");
    if (dense.problem.groups)
      tileRows = 1; // each row may be alone in its group
    return kern::GridAttr::get(kernel.getContext(), static_cast<kern::Dim>(dense.problem.rowsDim),
                               dense.problem.rowsMultiplier, tileRows, /*cap=*/0,
                               tokens ? factor * schedule.get("split") : factor);
  }

  FailureOr<LaunchShape> emitKernel(kern::KernelOp kernel, ModuleOp module) const override {
    DenseKernel dense = readAccepted(kernel);
    kern::ScheduleAttr schedule = *kernel.getSchedule();
    bool isRing = schedule.get(kTokens);
    hopper::LaunchShape shape = isRing ? hopper::getLaunchShape(getRingTile(schedule))
                                       : hopper::getLaunchShape(getDenseTile(schedule));
    shape.earlyLaunch = true;
    hopper::KernelFrame frame(module, kernel.getSymName(), dense.numSlots, shape);
    if (isRing)
      hopper::emitDenseRing(frame, dense.problem, getRingTile(schedule), dense.epilogue);
    else
      hopper::emitDenseMatmul(frame, dense.problem, getDenseTile(schedule), dense.epilogue);
    if (llvm::Error error = frame.finish())
      return kernel.emitError() << llvm::toString(std::move(error));
    return codegen::getLaunchShape(frame);
  }
};

} // namespace

const WholeKernelEmitter &moec::codegen::getHopperDenseEmitter() {
  static DenseFamily family;
  return family;
}
