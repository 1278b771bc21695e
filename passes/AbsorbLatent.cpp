// Absorbs the latent up-projection of multi-head latent attention into its query
// and its output, so that attention runs over cached latents as they are.
// q.(W_k l) = (W_k^T q).l and sum(p W_v l) = W_v sum(p l).
#include "passes/Passes.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_ABSORBLATENT
#include "passes/Passes.h.inc"

namespace {

void absorb(moe::MlaAttentionOp attention) {
  OpBuilder builder(attention);
  Location loc = attention.getLoc();
  int64_t heads = attention.getHeads(), nope = attention.getNopeDim();
  int64_t latent = moe::getShape(attention.getUpWeight().getType())[1];
  int64_t tokens = moe::getShape(attention.getType())[0];
  Type latents = RankedTensorType::get(
      {tokens, heads * latent}, cast<RankedTensorType>(attention.getType()).getElementType());

  Value query = moe::HeadLinearOp::create(
      builder, loc, latents, attention.getQ(), attention.getUpWeight(), heads, /*x_offset=*/0,
      /*x_size=*/nope, /*w_offset=*/0, /*w_size=*/nope, /*transposed=*/true);
  Value context = moe::LatentAttentionOp::create(
      builder, loc, latents, query, attention.getQ(), attention.getCache(),
      attention.getPositions(), attention.getSequences(), attention.getBlockTable(), heads,
      attention.getRopeDim(), attention.getScale());
  Value output = moe::HeadLinearOp::create(
      builder, loc, attention.getType(), context, attention.getUpWeight(), heads, /*x_offset=*/0,
      /*x_size=*/latent, /*w_offset=*/nope, /*w_size=*/attention.getVDim(), /*transposed=*/false);
  attention.replaceAllUsesWith(output);
  attention.erase();
}

struct AbsorbLatent : impl::AbsorbLatentBase<AbsorbLatent> {
  void runOnOperation() override {
    SmallVector<moe::MlaAttentionOp> ops;
    getOperation().walk([&](moe::MlaAttentionOp op) { ops.push_back(op); });
    llvm::for_each(ops, absorb);
  }
};

} // namespace
} // namespace moec::passes
