// The parts of a row and the joining of them: the norms of the next token's embedding and of the
// hidden state, which the multi-token prediction head joins.
#include "passes/Fusion.h"
#include "passes/Passes.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSECONCATROWS
#include "passes/Passes.h.inc"

namespace {

/// Adds the norm that makes `part` for nothing else, and the embedding that this norm reads.
void addPart(Fusion &fusion, Value part, Operation *concat) {
  auto norm = getProducer<moe::RmsNormOp>(part, concat);
  if (!norm || !norm->hasOneUse() || !fusion.addProducer(norm))
    return;
  auto embedding = getProducer<moe::EmbeddingOp>(norm.getX(), norm);
  if (embedding && embedding->hasOneUse())
    fusion.addProducer(embedding);
}

struct FuseConcatRows : impl::FuseConcatRowsBase<FuseConcatRows> {
  void runOnOperation() override {
    auto visit = [&](moe::ConcatOp concat, const kern::TargetModel &target) {
      if (getConsumer<moe::CacheAppendOp>(concat.getResult()))
        return;
      Fusion fusion(concat, kern::Hero::Rows, target, getArgument());
      for (Value part : concat.getParts())
        addPart(fusion, part, concat);
      if (auto quantize = getConsumer<moe::QuantizeOp>(concat.getResult()))
        fusion.addConsumer(quantize);
      fusion.commit();
    };
    if (failed(forEachUngrouped<moe::ConcatOp>(getOperation(), visit)))
      signalPassFailure();
  }
};

} // namespace
} // namespace moec::passes
