// Kernels with hero routing: the router's linear and the gate, or the gate alone.
// A tile takes a share of the tokens, a few at a time, so that each row of the router's weight is
// read from memory once for all of them.
#include "codegen/kernels/Emitter.h"
#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/routing/RowDot.h"
#include "codegen/kernels/routing/TeamGate.h"
#include "codegen/kernels/rows/DomainRows.h"
#include "codegen/kernels/rows/RowProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

/// A schedule has it when each subgroup has a row.
static constexpr llvm::StringLiteral kSubgroups = "subgroups";

namespace {

/// One subgroup for a gate alone; for the product before it as many as there are.
int64_t chooseThreads(kern::KernelOp kernel, const Machine &machine) {
  bool hasLinear = !kernel.getBody().front().getOps<moe::LinearOp>().empty();
  return hasLinear ? machine.threads : machine.subgroup;
}

/// Rows of a tile that has a subgroup for each.
constexpr int64_t kGateRows = 4;

/// The gate of a kernel that is nothing else, when a subgroup can compute it in registers; or null.
moe::GateOp findTeamGate(kern::KernelOp kernel, const Machine &machine) {
  auto ops = kernel.getBody().front().without_terminator();
  auto gate = llvm::hasSingleElement(ops) ? dyn_cast<moe::GateOp>(*ops.begin()) : nullptr;
  if (!gate || !machine.hasTeams() || machine.threads < kGateRows * machine.subgroup)
    return {};
  bool isYieldedOnce = llvm::equal(kernel.getYielded(), gate->getResults());
  return isYieldedOnce && TeamGate::accepts(gate, machine) ? gate : moe::GateOp();
}

class RoutingEmitter : public KernelEmitter {
public:
  std::optional<std::string> refuseFusion(Operation *op, bool before) const override {
    if (auto linear = dyn_cast<moe::LinearOp>(op))
      return before ? refuseRowDot(linear) : "a linear after the gate is not part of routing";
    if (isa<moe::GateOp, moe::SliceOp>(op))
      return std::nullopt;
    return (op->getName().getStringRef() + " is not part of routing").str();
  }

  /// `tiles`: at most so many; `row_tile`: tokens whose logits are computed together.
  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    if (findTeamGate(kernel, machine))
      return {{makeSchedule(kernel.getContext(), {{"row_tile", kGateRows},
                                                  {"threads", kGateRows * machine.subgroup},
                                                  {kSubgroups, 1}}),
               0}};
    if (machine.hasTeams()) // a tile a token: a gate is work for one subgroup
      return {{makeSchedule(kernel.getContext(), {{"row_tile", 1},
                                                  {"tiles", int64_t(1) << 20},
                                                  {"threads", chooseThreads(kernel, machine)}}),
               0}};
    return {{makeSchedule(kernel.getContext(), {{"row_tile", 8}, {"tiles", 64}}), 0}};
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    kern::RowsAttr rows = getDomainRows(kernel);
    int64_t tiles = 64, rowTile = 1;
    if (auto schedule = kernel.getSchedule()) {
      bool hasSubgroups = schedule->get(kSubgroups);
      tiles = hasSubgroups ? 0 : schedule->get("tiles", 64);
      rowTile = hasSubgroups ? schedule->get("row_tile") : 1;
    }
    return kern::GridAttr::get(kernel.getContext(), rows ? rows.getDim() : kern::Dim::One,
                               rows ? rows.getMultiplier() : 1, rowTile, tiles, 1);
  }

  LogicalResult emit(TileFunction &tile) const override;

private:
  static void emitTeamGate(TileFunction &tile, moe::GateOp gate);
};

/// The body: at most one linear on arguments, then row-wise ops.
struct Body {
  moe::LinearOp linear;
  SmallVector<Operation *> rest;
};

} // namespace

static LogicalResult readBody(TileFunction &tile, Body &body) {
  for (Operation &op : tile.kernel.getBody().front().without_terminator()) {
    auto linear = dyn_cast<moe::LinearOp>(op);
    if (!linear) {
      body.rest.push_back(&op);
      continue;
    }
    if (body.linear)
      return op.emitOpError() << "is the second linear of a routing kernel";
    if (auto reason = refuseRowDot(linear))
      return op.emitOpError() << *reason;
    if (!tile.getArgument(linear.getX()) || !tile.getArgument(linear.getWeight()))
      return op.emitOpError() << "of a routing kernel must read arguments of the kernel";
    body.linear = linear;
  }
  return success();
}

void RoutingEmitter::emitTeamGate(TileFunction &tile, moe::GateOp gate) {
  auto &b = tile.b;
  Buffer logits = tile.getArgument(gate.getLogits());
  Buffer ids = tile.getResult(0), weights = tile.getResult(1);
  Value begin = mulIndex(b, tile.getTile(), kGateRows);
  Value end = arith::MinUIOp::create(b, addIndex(b, begin, kGateRows), logits.rows);
  int64_t columns = moe::getShape(gate.getIds().getType()).back();
  forItems(b, tile.getTeam(), begin, end, [&](Value row, const Team &part) {
    TeamGate(tile, gate, part)
        .emit({logits.data, {}, row, 0, moe::getShape(gate.getLogits().getType()).back()},
              {ids.data, {}, row, 0, columns}, {weights.data, {}, row, 0, columns});
  });
}

LogicalResult RoutingEmitter::emit(TileFunction &tile) const {
  auto &b = tile.b;
  const Team &team = tile.getTeam();
  kern::RowsAttr domain = getDomainRows(tile.kernel);
  if (!domain)
    return tile.kernel.emitOpError() << "has no result with a run-time row count";
  if (tile.getScheduleSize(kSubgroups))
    return emitTeamGate(tile, findTeamGate(tile.kernel, tile.machine)), success();
  Body body;
  if (failed(readBody(tile, body)))
    return failure();
  int64_t rowTile = tile.getScheduleSize("row_tile", 8);
  RowProgram program(tile, body.rest);
  RowRef logits;
  if (body.linear) {
    logits.columns = moe::getShape(body.linear.getType()).back();
    logits.data = tile.allocate({rowTile, logits.columns}, b.getF32Type());
  }

  // The tile's share of the rows, as even as can be.
  Value rows = mulIndex(b, tile.getDim(domain.getDim()), domain.getMultiplier());
  Value tiles =
      arith::MinUIOp::create(b, rows, constantIndex(b, tile.getScheduleSize("tiles", 64)));
  auto share = [&](Value index) -> Value {
    return arith::DivUIOp::create(b, arith::MulIOp::create(b, index, rows), tiles);
  };
  Value begin = share(tile.getTile()), end = share(addIndex(b, tile.getTile(), 1));

  Value zero = constantIndex(b, 0);
  auto result = success();
  forRange(b, begin, end, rowTile, [&](Value first) {
    Value left = arith::SubIOp::create(b, end, first);
    Value count = arith::MinUIOp::create(b, left, constantIndex(b, rowTile));
    if (body.linear)
      forItems(b, team, zero, constantIndex(b, logits.columns),
               [&](Value expert, const Team &part) {
                 forRange(b, zero, count, 1, [&](Value i) {
                   Value logit = emitRowDot(tile, part, body.linear, addIndex(b, first, i), expert);
                   logit = roundFloats(b, logit, body.linear.getType());
                   runOnce(b, part, [&] { storeFloat(b, logit, logits.data, {i, expert}); });
                 });
               });
    barrier(b, team);
    forRange(b, zero, count, 1, [&](Value i) {
      Value row = addIndex(b, first, i);
      if (body.linear) {
        logits.row = i;
        program.bind(body.linear, logits);
        for (unsigned index : tile.getResultsOf(body.linear))
          program.copy(logits, {tile.getResult(index).data, {}, row, 0, logits.columns});
      }
      result = program.emit(row);
    });
  });
  return result;
}

const KernelEmitter &moec::codegen::getRoutingEmitter() {
  static const RoutingEmitter emitter;
  return emitter;
}
