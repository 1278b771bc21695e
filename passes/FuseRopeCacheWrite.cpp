// What makes a cache row and the write of it: norm of a latent or of the key's heads, rope of the
// key, the concatenation that joins the parts, the append.
#include "passes/Fusion.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSEROPECACHEWRITE
#include "passes/Passes.h.inc"

namespace {

struct FuseRopeCacheWrite : impl::FuseRopeCacheWriteBase<FuseRopeCacheWrite> {
  void runOnOperation() override {
    auto visit = [&](moe::CacheAppendOp append, const kern::TargetModel &target) {
      Fusion fusion(append, kern::Hero::Rows, target, getArgument());
      addProducers(fusion, append, append.getRows());
      fusion.commit();
    };
    if (failed(forEachUngrouped<moe::CacheAppendOp>(getOperation(), visit)))
      signalPassFailure();
  }

  /// Takes the op that makes `value`, and what feeds it, when only `user` reads it.
  void addProducers(Fusion &fusion, Operation *user, Value value) {
    Operation *op = value.getDefiningOp();
    if (!op || op->getBlock() != user->getBlock() ||
        !isa<moe::ConcatOp, moe::RmsNormOp, moe::RopeOp>(op))
      return;
    if (!op->hasOneUse())
      return reportRefusal(op, getArgument(), "the value is used by another op too");
    if (!fusion.addProducer(op))
      return;
    if (auto concat = dyn_cast<moe::ConcatOp>(op))
      for (Value part : concat.getParts())
        addProducers(fusion, concat, part);
    if (auto rope = dyn_cast<moe::RopeOp>(op))
      addProducers(fusion, rope, rope.getX());
  }
};

} // namespace
} // namespace moec::passes
