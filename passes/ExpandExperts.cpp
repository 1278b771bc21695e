// Turns the routed feed-forward network into the steps that are computed: sort
// (token, choice) pairs by expert, three grouped products, weighted sum.
#include "passes/Passes.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_EXPANDEXPERTS
#include "passes/Passes.h.inc"

namespace {

/// `rows` times `factor`, dynamic when `rows` is.
int64_t multiplyRows(int64_t rows, int64_t factor) {
  return ShapedType::isDynamic(rows) ? rows : rows * factor;
}

void expand(moe::ExpertsOp experts) {
  OpBuilder builder(experts);
  Location loc = experts.getLoc();
  ArrayRef<int64_t> ids = moe::getShape(experts.getIds().getType());
  ArrayRef<int64_t> gate = moe::getShape(experts.getGate().getType());
  int64_t slots = multiplyRows(ids[0], ids[1]), numExperts = gate[0];
  Type i32 = builder.getI32Type();
  Type element = cast<RankedTensorType>(experts.getX().getType()).getElementType();
  Type inner = RankedTensorType::get({slots, gate[1]}, element);
  Type outer = RankedTensorType::get({slots, gate[2]}, element);

  auto permute = moe::PermuteOp::create(
      builder, loc, RankedTensorType::get({slots}, i32), experts.getIds().getType(),
      RankedTensorType::get({numExperts + 1}, i32), experts.getIds());
  auto linear = [&](Type type, Value x, Value weight, Value rows, int64_t topK) -> Value {
    return moe::GroupedLinearOp::create(builder, loc, type, x, weight, permute.getOffsets(), rows,
                                        topK);
  };
  Value gated = linear(inner, experts.getX(), experts.getGate(), permute.getRows(), ids[1]);
  Value up = linear(inner, experts.getX(), experts.getUp(), permute.getRows(), ids[1]);
  Value active = moe::SwigluOp::create(builder, loc, inner, gated, up);
  Value down = linear(outer, active, experts.getDown(), Value(), 1);
  Value sum = moe::CombineOp::create(builder, loc, experts.getType(), down, permute.getSlots(),
                                     experts.getWeights(), /*rows=*/Value());
  experts.replaceAllUsesWith(sum);
  experts.erase();
}

struct ExpandExperts : impl::ExpandExpertsBase<ExpandExperts> {
  void runOnOperation() override {
    SmallVector<moe::ExpertsOp> ops;
    getOperation().walk([&](moe::ExpertsOp op) { ops.push_back(op); });
    llvm::for_each(ops, expand);
  }
};

} // namespace
} // namespace moec::passes
