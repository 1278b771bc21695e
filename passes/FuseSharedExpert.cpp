// The shared experts of a feed-forward network become further experts, which the gate gives to
// every row: their products run in the grouped kernels, and no kernel adds their part.
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "passes/WeightUses.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_FUSESHAREDEXPERT
#include "passes/Passes.h.inc"

namespace {

constexpr llvm::StringLiteral kPass = "fuse-shared-expert";

/// sum = experts + down(swiglu(gate(x), up(x))); x and the experts' x are one value.
struct Match {
  moe::GateOp router;
  moe::ExpertsOp experts;
  moe::LinearOp gate, up, down;
  moe::SwigluOp swiglu;
  moe::AddOp sum;
  int64_t count = 0; // shared experts: the shared inner size over a routed expert's

  void eraseShared() {
    for (Operation *op : {down.getOperation(), swiglu.getOperation(), gate.getOperation(),
                          up.getOperation(), experts.getOperation(), router.getOperation()})
      op->erase();
  }
};

moe::LinearOp getLinear(Value value) { return value.getDefiningOp<moe::LinearOp>(); }

/// Finds the ops, or says why there is nothing to fuse.
std::optional<std::string> match(moe::ExpertsOp experts, Match &found) {
  found.experts = experts;
  found.router = experts.getIds().getDefiningOp<moe::GateOp>();
  if (!found.router || found.router.getWeights() != experts.getWeights() ||
      !found.router.getIds().hasOneUse() || !found.router.getWeights().hasOneUse())
    return "ids and weights are not those of one moe.gate that nothing else reads";
  if (!experts->hasOneUse())
    return "the experts' result is read twice";
  found.sum = dyn_cast<moe::AddOp>(*experts->user_begin());
  if (!found.sum)
    return "the experts' result goes into no sum";
  Value other = found.sum.getLhs() == experts.getResult() ? found.sum.getRhs() : found.sum.getLhs();
  found.down = getLinear(other);
  found.swiglu = found.down ? found.down.getX().getDefiningOp<moe::SwigluOp>() : moe::SwigluOp();
  if (found.swiglu) {
    found.gate = getLinear(found.swiglu.getGate());
    found.up = getLinear(found.swiglu.getUp());
  }
  if (!found.gate || !found.up)
    return "what is added to the experts' result is no feed-forward network";
  if (found.gate.getX() != experts.getX() || found.up.getX() != experts.getX())
    return "the shared experts read another input";
  if (found.gate.getBias() || found.up.getBias() || found.down.getBias())
    return "a linear of the shared experts has a bias; experts have none";
  for (Operation *op : {found.gate.getOperation(), found.up.getOperation(),
                        found.swiglu.getOperation(), found.down.getOperation()})
    if (!op->hasOneUse())
      return "another op reads what is inside the shared experts";
  return std::nullopt;
}

/// One of the three weights: of the routed experts, and of the shared ones.
struct WeightPair {
  Value routed, shared;
  int64_t axis; // of the shared weight along which experts lie side by side
};

SmallVector<WeightPair, 3> getWeights(const Match &match) {
  moe::ExpertsOp experts = match.experts;
  moe::LinearOp gate = match.gate, up = match.up, down = match.down;
  return {{experts.getGate(), gate.getWeight(), 0},
          {experts.getUp(), up.getWeight(), 0},
          {experts.getDown(), down.getWeight(), 1}};
}

moe::WeightOp getWeight(Value value, SymbolTable &symbols) {
  auto param = value.getDefiningOp<moe::ParamOp>();
  return param ? symbols.lookup<moe::WeightOp>(param.getWeightAttr().getAttr()) : moe::WeightOp();
}

Type getElement(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? tensor.getElementType() : Type();
}

/// Why the shared matrix cannot be cut into `count` like the routed ones, or nothing.
std::optional<std::string> refuseShape(const WeightPair &pair, int64_t count) {
  Type routed = pair.routed.getType(), shared = pair.shared.getType();
  if (moe::getScheme(routed) != moe::getScheme(shared) || getElement(routed) != getElement(shared))
    return "the shared experts' weights are stored in another way";
  int64_t size = moe::getShape(routed)[pair.axis + 1];
  moe::QuantSchemeAttr scheme = moe::getScheme(routed);
  int64_t block = scheme ? scheme.getBlock()[pair.axis] : 1;
  if (count > 1 && (block == 0 || size % block))
    return "an expert's " + std::to_string(size) + " intermediate features end inside a block of " +
           std::to_string(block) + " that shares one scale, and there are " +
           std::to_string(count) + " shared experts";
  return std::nullopt;
}

struct FuseSharedExpert : impl::FuseSharedExpertBase<FuseSharedExpert> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    uses = countWeightUses(getOperation());
    SmallVector<moe::ExpertsOp> ops;
    getOperation().walk([&](moe::ExpertsOp op) { ops.push_back(op); });
    for (moe::ExpertsOp op : ops) {
      Match found;
      std::optional<std::string> reason = match(op, found);
      if (!reason)
        reason = refuseWeights(found, symbols);
      if (reason)
        reportRefusal(op, kPass, *reason);
      else
        fuse(found, symbols);
    }
    uses.clear();
  }

  std::optional<std::string> refuseWeights(Match &found, SymbolTable &symbols) {
    int64_t routed = moe::getShape(found.experts.getGate().getType())[1];
    int64_t shared = moe::getShape(found.gate.getWeight().getType())[0];
    if (shared % routed)
      return "the shared experts' " + std::to_string(shared) +
             " intermediate features are no multiple of a routed expert's " +
             std::to_string(routed);
    found.count = shared / routed;
    for (const WeightPair &pair : getWeights(found)) {
      for (Value value : {pair.routed, pair.shared}) {
        moe::WeightOp weight = getWeight(value, symbols);
        if (!weight)
          return "a weight is not a moe.param";
        if (uses[weight.getSymNameAttr()] != 1)
          return "weight @" + weight.getSymName().str() + " is used elsewhere";
      }
      if (auto reason = refuseShape(pair, found.count))
        return reason;
    }
    return std::nullopt;
  }

  /// The routed experts' matrices and behind them the shared ones'.
  Value join(OpBuilder &builder, const WeightPair &pair, int64_t count, SymbolTable &symbols) {
    moe::WeightOp routed = getWeight(pair.routed, symbols),
                  shared = getWeight(pair.shared, symbols);
    int64_t experts = moe::getShape(routed.getType())[0];
    Attribute cut = moe::SplitAttr::get(&getContext(), pair.axis, count, shared.getRecipe());
    auto recipe = moe::ConcatAttr::get(&getContext(), /*axis=*/0, {experts, count},
                                       {routed.getRecipe(), cut});
    OpBuilder weights(shared->isBeforeInBlock(routed) ? routed : shared);
    auto joined =
        moe::WeightOp::create(weights, routed.getLoc(), (routed.getSymName() + "_shared").str(),
                              moe::withRows(routed.getType(), experts + count), recipe);
    symbols.insert(joined);
    return moe::ParamOp::create(builder, routed.getLoc(), joined.getType(),
                                FlatSymbolRefAttr::get(joined.getSymNameAttr()));
  }

  void fuse(Match &found, SymbolTable &symbols) {
    OpBuilder builder(found.experts);
    SmallVector<Value> joined;
    for (const WeightPair &pair : getWeights(found))
      joined.push_back(join(builder, pair, found.count, symbols));

    int64_t columns = int64_t(found.router.getTopK()) + found.count;
    builder.setInsertionPoint(found.router);
    auto router = cast<moe::GateOp>(builder.clone(*found.router));
    router.setShared(found.count);
    for (Value result : router->getResults()) {
      auto type = cast<RankedTensorType>(result.getType());
      result.setType(type.clone({type.getShape()[0], columns}));
    }
    builder.setInsertionPoint(found.experts);
    auto experts = moe::ExpertsOp::create(builder, found.experts.getLoc(), found.experts.getType(),
                                          found.experts.getX(), router.getIds(),
                                          router.getWeights(), joined[0], joined[1], joined[2]);
    found.sum.replaceAllUsesWith(experts.getResult());
    found.sum.erase();
    found.eraseShared();
    reportSuccess(experts, kPass,
                  "made " + std::to_string(found.count) + " shared experts routed ones");
  }

  DenseMap<StringAttr, unsigned> uses; // of each weight
};

} // namespace
} // namespace moec::passes
