// Kernels with hero rows or pointwise: one tile a row, or a part of it.
#include "codegen/kernels/Emitter.h"
#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/rows/DomainRows.h"
#include "codegen/kernels/rows/RegisterProgram.h"
#include "codegen/kernels/rows/RowProgram.h"
#include "codegen/kernels/sampling/SamplingEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

kern::RowsAttr moec::codegen::getDomainRows(kern::KernelOp kernel) {
  unsigned numArguments = kernel.getNumArguments();
  for (auto [i, yielded] : llvm::enumerate(kernel.getYielded())) {
    if (auto rows = dyn_cast<kern::RowsAttr>(kernel.getRows()[numArguments + i]))
      return rows;
    // A cache has no row count; the rows written to it have.
    auto append = yielded.getDefiningOp<moe::CacheAppendOp>();
    Value source = append ? append.getPositions() : Value();
    if (auto argument = dyn_cast_or_null<BlockArgument>(source))
      if (auto rows = dyn_cast<kern::RowsAttr>(kernel.getRows()[argument.getArgNumber()]))
        return rows;
  }
  return {};
}

/// Enough threads for two steps of the widest row, but none for nothing.
static int64_t chooseThreads(kern::KernelOp kernel, const Machine &machine) {
  int64_t columns = 1;
  for (Operation &op : kernel.getBody().front().without_terminator())
    for (Type type : op.getResultTypes())
      if (!isa<moe::CacheType>(type))
        columns = std::max(columns, moe::getShape(type).back());
  int64_t steps = llvm::divideCeil(columns, 2 * machine.floatLanes());
  return std::clamp<int64_t>(llvm::bit_ceil<uint64_t>(steps), machine.subgroup, machine.threads);
}

/// A schedule has lanes when rows stay in registers (RegisterLayout.h).
static constexpr llvm::StringLiteral kLanes = "lanes", kParts = "parts";

namespace {

class RowsEmitter : public KernelEmitter {
public:
  std::optional<std::string> refuseFusion(Operation *op, bool before) const override {
    auto rows = dyn_cast<moe::RowsInterface>(op);
    if (!before && rows && !rows.isRowwise())
      return (op->getName().getStringRef() + " reads other rows than the one being computed").str();
    return RowProgram::refuse(op);
  }

  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    if (const KernelEmitter *family = findSamplingEmitter(kernel))
      return family->getCandidates(kernel, machine);
    MLIRContext *context = kernel.getContext();
    if (!machine.hasTeams())
      return {{makeSchedule(context, {{"row_tile", 1}}), 0}};
    SmallVector<Candidate> candidates;
    for (const RegisterLayout &layout : getRegisterLayouts(kernel, machine))
      candidates.push_back({makeSchedule(context, {{"row_tile", 1},
                                                   {kLanes, layout.lanes},
                                                   {"threads", layout.threads},
                                                   {kParts, layout.parts}}),
                            double(candidates.size())});
    if (candidates.empty())
      candidates.push_back(
          {makeSchedule(context, {{"row_tile", 1}, {"threads", chooseThreads(kernel, machine)}}),
           0});
    return candidates;
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    if (const KernelEmitter *family = findSamplingEmitter(kernel))
      return family->getGrid(kernel);
    kern::RowsAttr rows = getDomainRows(kernel);
    auto dim = rows ? rows.getDim() : kern::Dim::One;
    int64_t parts = kernel.getSchedule() ? kernel.getSchedule()->get(kParts, 1) : 1;
    return kern::GridAttr::get(kernel.getContext(), dim, rows ? rows.getMultiplier() : 1, 1, 0,
                               parts);
  }

  LogicalResult emit(TileFunction &tile) const override {
    if (const KernelEmitter *family = findSamplingEmitter(tile.kernel))
      return family->emit(tile);
    if (!getDomainRows(tile.kernel))
      return tile.kernel.emitOpError() << "has no result with a run-time row count";
    if (tile.getScheduleSize(kLanes))
      return emitInRegisters(tile), success();
    SmallVector<Operation *> ops;
    for (Operation &op : tile.kernel.getBody().front().without_terminator())
      ops.push_back(&op);
    return RowProgram(tile, ops).emit(tile.getTile());
  }

private:
  static void emitInRegisters(TileFunction &tile) {
    auto &b = tile.b;
    int64_t parts = tile.getScheduleSize(kParts);
    RegisterProgram program(tile,
                            {tile.getScheduleSize(kLanes), tile.getScheduleSize("threads"), parts});
    if (parts == 1)
      return program.emit(tile.getTile(), {});
    Value count = constantIndex(b, parts);
    Value row = arith::DivUIOp::create(b, tile.getTile(), count);
    program.emit(row, arith::RemUIOp::create(b, tile.getTile(), count));
  }
};

} // namespace

const KernelEmitter &moec::codegen::getRowsEmitter() {
  static const RowsEmitter emitter;
  return emitter;
}
