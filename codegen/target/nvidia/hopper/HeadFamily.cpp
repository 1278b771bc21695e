#include "codegen/target/nvidia/hopper/HeadFamily.h"

#include "codegen/kernels/KernelUses.h"
#include "codegen/kernels/matmul/MatrixSchedule.h"
#include "codegen/target/nvidia/hopper/FamilyLaunch.h"
#include "codegen/target/nvidia/hopper/HeadMatmul.h"
#include "codegen/target/nvidia/hopper/ReadMatmul.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;
using moec::hopper::EpilogueSpec;
using moec::hopper::HeadProblem;
using moec::hopper::HeadTile;
using Refusal = std::optional<std::string>;

static constexpr size_t kMostCandidates = 6;

static HeadTile getHeadTile(kern::ScheduleAttr schedule) {
  return {schedule.get("tokens"), schedule.get("columns")};
}

namespace {

/// A kernel's body, read: one moe.head_linear of bf16 rows, with bf16 weights or E4M3 ones with f32
/// scales per 128x128, and nothing else.
struct HeadKernel {
  HeadProblem problem;
  EpilogueSpec epilogue;
  unsigned numSlots = 0;

  Refusal read(kern::KernelOp kernel);

private:
  Refusal readWeight(Type type);
  Refusal readResult(kern::KernelOp kernel, unsigned slot);
};

} // namespace

static bool isBFloat16(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getElementType().isBF16();
}

Refusal HeadKernel::readWeight(Type type) {
  if (isBFloat16(type))
    return std::nullopt;
  auto tensor = dyn_cast<moe::QTensorType>(type);
  if (!tensor || !isa<Float8E4M3FNType>(tensor.getScheme().getStorage()) ||
      !tensor.getScheme().getScale().isF32() ||
      tensor.getScheme().getBlock() != ArrayRef<int64_t>{128, 128})
    return "its weight is neither bf16 nor E4M3 with f32 scales per 128x128";
  problem.scales = problem.w + 1;
  return std::nullopt;
}

Refusal HeadKernel::readResult(kern::KernelOp kernel, unsigned slot) {
  unsigned result = kernel.getNumArguments();
  auto tensor = cast<RankedTensorType>(kernel.getYielded().front().getType());
  bool isFloat = tensor.getElementType().isF32();
  if (!isFloat && !isBFloat16(tensor))
    return "its result is neither f32 nor bf16";
  epilogue.columns = problem.heads * problem.getColumns();
  epilogue.stores.push_back(
      {slot, isFloat ? EpilogueSpec::Element::Float32 : EpilogueSpec::Element::BFloat16,
       kernel.getRowStrides()[result] * (isFloat ? 4 : 2)});
  return std::nullopt;
}

Refusal HeadKernel::read(kern::KernelOp kernel) {
  Block &body = kernel.getBody().front();
  auto op = dyn_cast<moe::HeadLinearOp>(body.front());
  if (!op || op->getNextNode() != body.getTerminator() || kernel.getNumCounters() ||
      kernel.getYielded().size() != 1)
    return "it is not one moe.head_linear";
  auto x = dyn_cast<BlockArgument>(op.getX()), w = dyn_cast<BlockArgument>(op.getWeight());
  if (!x || !w || !isBFloat16(x.getType()))
    return "x is no bf16 argument";
  SmallVector<codegen::Slot> slots = codegen::getSlots(kernel);
  auto getSlot = [&](unsigned value) { return codegen::findSlot(slots, value); };
  auto [dim, multiplier] = codegen::getRows(kernel);
  if (dim == kern::Dim::One)
    return "its row count is static";
  ArrayRef<int64_t> shape = moe::getShape(w.getType());
  numSlots = slots.size();
  problem.x = getSlot(x.getArgNumber()), problem.w = getSlot(w.getArgNumber());
  problem.rowsDim = static_cast<unsigned>(dim), problem.rowsMultiplier = multiplier;
  problem.heads = op.getHeads();
  problem.xColumns = moe::getShape(x.getType())[1] / problem.heads;
  problem.xOffset = op.getXOffset();
  problem.xRowBytes = kernel.getRowStrides()[x.getArgNumber()] * 2;
  problem.weightRows = shape[0] / problem.heads, problem.weightColumns = shape[1];
  problem.weightOffset = op.getWOffset(), problem.size = op.getWSize();
  problem.transposed = op.getTransposed();
  if (auto refusal = readWeight(w.getType()))
    return refusal;
  if (auto refusal = readResult(kernel, getSlot(kernel.getNumArguments())))
    return refusal;
  return problem.refuse();
}

static HeadKernel readAccepted(kern::KernelOp kernel) {
  HeadKernel head;
  (void)head.read(kernel);
  return head;
}

namespace {

class HeadFamily : public WholeKernelEmitter {
public:
  StringRef getName() const override { return "products by head of Hopper"; }

  bool concerns(Operation *op) const override { return isa<moe::HeadLinearOp>(op); }

  Refusal refuse(kern::KernelOp kernel) const override {
    if (kernel.getHero() != kern::Hero::HeadMatmul)
      return "its hero is no product by head";
    return HeadKernel().read(kernel);
  }

  Refusal refuseFusion(Operation *op, bool) const override {
    return (op->getName().getStringRef() + " cannot be fused with a product by head").str();
  }

  SmallVector<Candidate> getCandidates(kern::KernelOp kernel, const Machine &) const override {
    HeadKernel head = readAccepted(kernel);
    SmallVector<Candidate> candidates;
    for (const HeadTile &tile :
         hopper::getHeadTiles(head.problem, hopper::getMostRows(kernel, hopper::kManyRows))) {
      if (candidates.size() == kMostCandidates)
        break;
      kern::ScheduleAttr schedule =
          makeSchedule(kernel.getContext(), {{"tokens", tile.tokens}, {"columns", tile.columns}});
      candidates.push_back({schedule, double(candidates.size())});
    }
    return candidates;
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    return kern::GridAttr::get(
        kernel.getContext(), kern::Dim::One, 1, 1, /*cap=*/0,
        hopper::getNumBlocks(getHeadTile(*kernel.getSchedule()), readAccepted(kernel).problem));
  }

  FailureOr<LaunchShape> emitKernel(kern::KernelOp kernel, ModuleOp module) const override {
    HeadKernel head = readAccepted(kernel);
    HeadTile tile = getHeadTile(*kernel.getSchedule());
    hopper::LaunchShape shape = hopper::getLaunchShape(tile);
    shape.earlyLaunch = true;
    hopper::KernelFrame frame(module, kernel.getSymName(), head.numSlots, shape);
    hopper::emitHeadMatmul(frame, head.problem, tile, head.epilogue);
    if (llvm::Error error = frame.finish())
      return kernel.emitError() << llvm::toString(std::move(error));
    return codegen::getLaunchShape(frame);
  }
};

} // namespace

const WholeKernelEmitter &moec::codegen::getHopperHeadEmitter() {
  static HeadFamily family;
  return family;
}
