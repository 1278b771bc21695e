// Kernels with hero permutation: one tile sorts.
#include "codegen/kernels/Emitter.h"
#include "codegen/kernels/permutation/Sort.h"

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
      int64_t threads = Sort::chooseThreads(experts, machine);
      return {{makeSchedule(kernel.getContext(), {{"threads", threads}}), 0}};
    }
    return {{makeSchedule(kernel.getContext(), {}), 0}};
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    return kern::GridAttr::get(kernel.getContext(), kern::Dim::One, 1, 1, 0, 1);
  }

  LogicalResult emit(TileFunction &tile) const override {
    auto ops = tile.kernel.getBody().front().without_terminator();
    auto permute = llvm::hasSingleElement(ops) ? dyn_cast<moe::PermuteOp>(*ops.begin()) : nullptr;
    if (!permute)
      return tile.kernel.emitOpError() << "with hero permutation must hold one moe.permute";
    Sort(tile, permute).emit();
    return success();
  }
};

} // namespace

const KernelEmitter &moec::codegen::getPermutationEmitter() {
  static const PermutationEmitter emitter;
  return emitter;
}
