#include "codegen/target/nvidia/hopper/MatmulFamily.h"

#include "codegen/target/nvidia/hopper/FamilyLaunch.h"
#include "codegen/target/nvidia/hopper/ReadMatmul.h"
#include "codegen/target/nvidia/hopper/StreamingMatmul.h"
#include "codegen/target/nvidia/hopper/TileTickets.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;
using moec::hopper::MatmulKernel;
using moec::hopper::MatmulTile;
using moec::hopper::StreamingTile;

// What a schedule without `k_warps` belongs to is the compute-bound form.
static constexpr llvm::StringLiteral kStreaming = "k_warps";
static constexpr size_t kMostCandidates = 8; // of either form

static kern::ScheduleAttr makeSchedule(MLIRContext *context, const MatmulTile &tile) {
  SmallVector<std::pair<StringRef, int64_t>> sizes = {
      {"rows", tile.rows},       {"brought", tile.brought},
      {"columns", tile.columns}, {"column_waves", tile.columnWaves},
      {"parts", tile.parts},     {"consumers", tile.consumers},
      {"split", tile.split},     {"stages", tile.stages},
      {"staged", tile.staged},   {"workers", tile.workers}};
  if (tile.tickets) {
    sizes.push_back({"tickets", tile.tickets});
    sizes.push_back({"counters", hopper::TileTickets::kCounters});
  }
  return codegen::makeSchedule(context, sizes);
}

static MatmulTile getMatmulTile(kern::ScheduleAttr schedule) {
  MatmulTile tile;
  tile.rows = schedule.get("rows");
  tile.brought = schedule.get("brought");
  tile.columns = schedule.get("columns");
  tile.columnWaves = schedule.get("column_waves");
  tile.consumers = schedule.get("consumers");
  tile.parts = schedule.get("parts");
  tile.split = schedule.get("split");
  tile.stages = schedule.get("stages");
  tile.workers = schedule.get("workers");
  tile.staged = schedule.get("staged");
  tile.tickets = schedule.get("tickets");
  return tile;
}

static kern::ScheduleAttr makeSchedule(MLIRContext *context, const StreamingTile &tile) {
  return codegen::makeSchedule(context, {{"tokens", tile.tokens},
                                         {"rows", tile.rows},
                                         {"row_warps", tile.rowWarps},
                                         {"k_warps", tile.kWarps},
                                         {"steps", tile.steps},
                                         {"min_blocks", tile.minBlocks},
                                         {"buffers", tile.buffers}});
}

static StreamingTile getStreamingTile(kern::ScheduleAttr schedule, const MatmulKernel &read) {
  StreamingTile tile{schedule.get("tokens"),  schedule.get("rows"),  schedule.get("row_warps"),
                     schedule.get("k_warps"), schedule.get("steps"), schedule.get("min_blocks")};
  tile.buffers = schedule.get("buffers");
  if (read.epilogue.quantized)
    tile.parts = 128 / tile.rows;
  return tile;
}

static MatmulKernel readKernel(kern::KernelOp kernel) {
  MatmulKernel read;
  (void)hopper::readMatmul(kernel, read); // accepted before
  return read;
}

namespace {

class MatmulFamily : public WholeKernelEmitter {
public:
  StringRef getName() const override { return "FP8 products of Hopper"; }

  bool concerns(Operation *op) const override {
    return isa<moe::LinearOp, moe::GroupedLinearOp>(op) &&
           isa<moe::QTensorType>(op->getOperand(1).getType());
  }

  std::optional<std::string> refuse(kern::KernelOp kernel) const override {
    MatmulKernel read;
    if (auto refusal = hopper::readMatmul(kernel, read))
      return refusal;
    return read.isDense ? std::optional<std::string>("its operands are bf16") : std::nullopt;
  }

  std::optional<std::string> refuseFusion(Operation *op, bool before) const override {
    if (before)
      return "FP8 products have no prologue";
    if (isa<moe::AddOp, moe::SliceOp, moe::DeinterleaveOp, moe::SwigluOp, moe::QuantizeOp>(op))
      return std::nullopt;
    return (op->getName().getStringRef() + " cannot follow an FP8 product").str();
  }

  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    MatmulKernel read = readKernel(kernel);
    hopper::MatmulSize size{.m = hopper::getMostRows(kernel, hopper::kManyRows),
                            .n = read.problem.columns,
                            .k = read.problem.k,
                            .columnWaves = read.epilogue.gated ? 2 : 1,
                            .columnMultiple = getColumnMultiple(read),
                            .canStage = canStage(read),
                            .interleave = read.problem.interleave};
    if (read.problem.groups) {
      size.groups = read.problem.groups->count;
      size.isGathered = read.problem.isGathered();
      size.rowsPerToken = read.problem.rowsMultiplier;
    }
    SmallVector<Candidate> candidates;
    MLIRContext *context = kernel.getContext();
    for (const StreamingTile &tile : hopper::getStreamingTiles(size, machine.workers)) {
      if (candidates.size() == kMostCandidates)
        break;
      candidates.push_back(
          {makeSchedule(context, tile), hopper::estimateCost(tile, size, machine.workers)});
    }
    for (auto [i, tile] : llvm::enumerate(hopper::getMatmulTiles(size, machine.workers))) {
      if (i == kMostCandidates)
        break;
      candidates.push_back(
          {makeSchedule(context, tile), hopper::estimateCost(tile, size, machine.workers)});
    }
    return candidates;
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    MatmulKernel read = readKernel(kernel);
    kern::ScheduleAttr schedule = *kernel.getSchedule();
    MLIRContext *context = kernel.getContext();
    int64_t columns = llvm::divideCeil(read.problem.columns,
                                       schedule.get(schedule.get(kStreaming) ? "rows" : "columns"));
    if (schedule.get(kStreaming) && !read.problem.groups)
      return kern::GridAttr::get(context, kern::Dim::One, 1, 1, /*cap=*/0, columns);
    // Each row may be alone in its group.
    int64_t tileRows = read.problem.groups ? 1 : schedule.get("rows");
    return kern::GridAttr::get(
        context, static_cast<kern::Dim>(read.problem.rowsDim), read.problem.rowsMultiplier,
        tileRows, /*cap=*/0, schedule.get(kStreaming) ? columns : columns * schedule.get("split"));
  }

  /// Where groups begin: then their weights come before the wait, if rows need no list.
  SmallVector<int64_t> getEarlyArguments(kern::KernelOp kernel) const override {
    MatmulKernel read = readKernel(kernel);
    // Who draws tiles counts where the launch before may count, too.
    if (!read.problem.groups || read.problem.isGathered() || kernel.getSchedule()->get("tickets"))
      return {};
    SmallVector<codegen::Slot> slots = codegen::getSlots(kernel);
    return {int64_t(slots[read.problem.groups->offsets].value)};
  }

  bool holdsBackNext(kern::KernelOp kernel) const override {
    MatmulKernel read = readKernel(kernel);
    return read.problem.groups && !read.problem.groups->areSettled;
  }

  FailureOr<LaunchShape> emitKernel(kern::KernelOp kernel, ModuleOp module) const override {
    MatmulKernel read = readKernel(kernel);
    kern::ScheduleAttr schedule = *kernel.getSchedule();
    bool streams = schedule.get(kStreaming);
    hopper::LaunchShape shape = streams ? hopper::getLaunchShape(getStreamingTile(schedule, read))
                                        : hopper::getLaunchShape(getMatmulTile(schedule));
    shape.earlyLaunch = true;
    hopper::KernelFrame frame(module, kernel.getSymName(), read.numSlots, shape);
    if (streams)
      hopper::emitStreamingMatmul(frame, read.problem, getStreamingTile(schedule, read),
                                  read.epilogue);
    else
      hopper::emitBlockScaledMatmul(frame, read.problem, getMatmulTile(schedule), read.epilogue);
    if (llvm::Error error = frame.finish())
      return kernel.emitError() << llvm::toString(std::move(error));
    return codegen::getLaunchShape(frame);
  }

private:
  static bool canStage(const MatmulKernel &read) {
    const hopper::EpilogueSpec &spec = read.epilogue;
    return !spec.quantized && spec.stores.size() == 1 &&
           spec.stores[0].element == hopper::EpilogueSpec::Element::BFloat16;
  }
  /// Quantization blocks are never divided between tiles.
  static int64_t getColumnMultiple(const MatmulKernel &read) {
    if (read.epilogue.quantized)
      return 128;
    return 8;
  }
};

} // namespace

ArrayRef<int64_t> moec::codegen::getHopperRowClasses() {
  static constexpr int64_t classes[] = {1, 16, 64, 256};
  return classes;
}

const WholeKernelEmitter &moec::codegen::getHopperMatmulEmitter() {
  static MatmulFamily family;
  return family;
}
