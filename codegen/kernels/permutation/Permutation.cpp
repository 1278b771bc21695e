// Kernels with hero permutation: on one thread one tile sorts, of teams each its share.
#include "codegen/kernels/Emitter.h"
#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/permutation/Sort.h"
#include "codegen/kernels/permutation/TeamSort.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

namespace {

class PermutationEmitter : public KernelEmitter {
public:
  std::optional<std::string> refuseFusion(Operation *op, bool) const override {
    if (isa<moe::PermuteOp>(op))
      return std::nullopt;
    return "a permutation is a kernel of its own: it needs the experts of all tokens";
  }

  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    auto permutes = kernel.getBody().front().getOps<moe::PermuteOp>();
    if (machine.hasTeams() && !permutes.empty()) {
      int64_t experts = moe::getShape((*permutes.begin()).getOffsets().getType())[0] - 1;
      return {{makeSchedule(kernel.getContext(), {{"tokens", kTileTokens},
                                                  {"tiles", machine.workers},
                                                  {"threads", chooseThreads(experts, machine)}}),
               0}};
    }
    return {{makeSchedule(kernel.getContext(), {}), 0}};
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    MLIRContext *context = kernel.getContext();
    auto schedule = kernel.getSchedule();
    auto rows = dyn_cast<kern::RowsAttr>(kernel.getRows()[0]);
    if (!schedule || !schedule->get("tokens") || !rows)
      return kern::GridAttr::get(context, kern::Dim::One, 1, 1, 0, 1);
    return kern::GridAttr::get(context, rows.getDim(), rows.getMultiplier(),
                               schedule->get("tokens"), schedule->get("tiles"), 1);
  }

  LogicalResult emit(TileFunction &tile) const override {
    auto ops = tile.kernel.getBody().front().without_terminator();
    auto permute = llvm::hasSingleElement(ops) ? dyn_cast<moe::PermuteOp>(*ops.begin()) : nullptr;
    if (!permute)
      return tile.kernel.emitOpError() << "with hero permutation must hold one moe.permute";
    if (tile.getScheduleSize("tokens"))
      return emitShare(tile, permute);
    Sort(tile, permute).emit();
    return success();
  }

private:
  /// Tokens of a tile at least, but for the last.
  static constexpr int64_t kTileTokens = 64;

  static int64_t chooseThreads(int64_t experts, const Machine &machine) {
    int64_t threads = machine.threads;
    while (threads > machine.subgroup &&
           TeamSort::countBytes(experts, threads, machine) > machine.workspaceBytes)
      threads /= 2;
    return threads;
  }

  /// Each of n tiles has an nth of the tokens, rounded up; the last ones have what is left.
  static LogicalResult emitShare(TileFunction &tile, moe::PermuteOp permute) {
    auto &b = tile.b;
    Buffer ids = tile.getArgument(permute.getIds());
    if (!ids)
      return permute.emitError() << "of a kernel of its own must read an argument";
    TeamSort sort(tile, permute);
    Value tiles = arith::DivUIOp::create(b, addIndex(b, ids.rows, kTileTokens - 1),
                                         constantIndex(b, kTileTokens));
    tiles = arith::MinUIOp::create(b, tiles, constantIndex(b, tile.getScheduleSize("tiles")));
    Value one = constantIndex(b, 1);
    Value share = arith::DivUIOp::create(
        b, arith::SubIOp::create(b, arith::AddIOp::create(b, ids.rows, tiles), one), tiles);
    Value begin =
        arith::MinUIOp::create(b, arith::MulIOp::create(b, tile.getTile(), share), ids.rows);
    Value end = arith::MinUIOp::create(b, arith::AddIOp::create(b, begin, share), ids.rows);
    sort.emit(begin, end);
    return success();
  }
};

} // namespace

const KernelEmitter &moec::codegen::getPermutationEmitter() {
  static const PermutationEmitter emitter;
  return emitter;
}
