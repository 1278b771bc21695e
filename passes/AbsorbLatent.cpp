// Absorbs the latent up-projection of multi-head latent attention into its query
// and its output, so that attention runs over cached latents as they are.
// q.(W_k l) = (W_k^T q).l and sum(p W_v l) = W_v sum(p l). It spares expanding every cached row
// into keys and values, and makes each score longer: it pays with few tokens for much context.
#include "passes/CostModel.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

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

/// Seconds of both forms of an attention.
struct Forms {
  double absorbed, unabsorbed;
};

/// Both forms at the bounds, by their flops. The chunk of a prompt belongs to one sequence; in a
/// decode step each token has its own.
Forms getForms(moe::MlaAttentionOp op, const CostModel &cost) {
  uint64_t rows = cost.countRows(op.getResult()), context = cost.getBounds().getContextLength();
  bool isDecode = cost.getBounds().getSequences() == cost.getBounds().getTokens();
  uint64_t sequences = isDecode ? rows : 1;
  uint64_t heads = op.getHeads(), width = cast<moe::CacheType>(op.getCache().getType()).getWidth();
  uint64_t latent = width - op.getRopeDim(), expanded = op.getNopeDim() + op.getVDim();
  uint64_t up = 2 * rows * heads * expanded * latent;
  uint64_t scores = 2 * rows * context * heads * (2 * latent + op.getRopeDim());
  double rate = cost.getRates().flopsPerSecond;
  return {double(up + scores) / rate, double(op.getFlops(rows, context, sequences)) / rate};
}

struct AbsorbLatent : impl::AbsorbLatentBase<AbsorbLatent> {
  using AbsorbLatentBase::AbsorbLatentBase;

  void runOnOperation() override {
    if (form != "auto" && form != "absorbed" && form != "unabsorbed") {
      getOperation().emitError() << "form must be auto, absorbed or unabsorbed; got '" << form
                                 << "'";
      return signalPassFailure();
    }
    if (form == "unabsorbed")
      return;
    if (form == "absorbed" || !getOperation()->hasAttr(kern::kTargetAttr))
      return absorbAll();
    auto visit = [&](ArrayRef<moe::MlaAttentionOp> ops, CostModel &cost,
                     const kern::TargetModel &target) {
      for (moe::MlaAttentionOp op : ops)
        if (isBetterAbsorbed(op, cost, target))
          absorb(op);
    };
    if (failed(forEachFunctionWith<moe::MlaAttentionOp>(getOperation(), visit)))
      signalPassFailure();
  }

  void absorbAll() {
    SmallVector<moe::MlaAttentionOp> ops;
    getOperation().walk([&](moe::MlaAttentionOp op) { ops.push_back(op); });
    llvm::for_each(ops, absorb);
  }

  bool isBetterAbsorbed(moe::MlaAttentionOp op, const CostModel &cost,
                        const kern::TargetModel &target) {
    if (auto reason = target.refuseFusion(kern::Hero::Attention, op, /*before=*/false)) {
      reportSuccess(op, getArgument(), "absorbed: " + *reason);
      return true;
    }
    Forms forms = getForms(op, cost);
    std::string times = "absorbed " + formatSeconds(forms.absorbed) + ", unabsorbed " +
                        formatSeconds(forms.unabsorbed);
    bool isBetter = forms.absorbed <= forms.unabsorbed;
    if (isBetter)
      reportSuccess(op, getArgument(), times);
    else
      reportRefusal(op, getArgument(), times);
    return isBetter;
  }
};

} // namespace
} // namespace moec::passes
