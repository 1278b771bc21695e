// Packs the weights of gated products so that a block of gates is followed by what it gates: a tile
// that computes both then reads one run of rows. How long a block is, is the target's choice.
#include "dialects/kern/TargetModel.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "passes/WeightUses.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_INTERLEAVEGATES
#include "passes/Passes.h.inc"

namespace {

constexpr llvm::StringLiteral kPass = "interleave-gates";

/// A group with a product, two slices of it, and their swiglu.
struct GatedGroup {
  kern::GroupOp group;
  Operation *product;
  moe::SliceOp gate, up;
  int64_t block; // that the target asks for

  int64_t columns, offsets[2]; // of each of the two ranges
};

bool isProduct(Operation *op) { return isa_and_present<moe::LinearOp, moe::GroupedLinearOp>(op); }

/// The group's gated product, when its weight is a param of the group's surroundings.
std::optional<GatedGroup> match(kern::GroupOp group, const kern::TargetModel &target) {
  auto swiglus = group.getBody().front().getOps<moe::SwigluOp>();
  if (swiglus.empty())
    return std::nullopt;
  moe::SwigluOp swiglu = *swiglus.begin();
  auto gate = swiglu.getGate().getDefiningOp<moe::SliceOp>(),
       up = swiglu.getUp().getDefiningOp<moe::SliceOp>();
  if (!gate || !up || gate.getX() != up.getX() || !isProduct(gate.getX().getDefiningOp()))
    return std::nullopt;
  Operation *product = gate.getX().getDefiningOp();
  if (!product->getOperand(1).getDefiningOp<moe::ParamOp>())
    return std::nullopt;
  return GatedGroup{group,
                    product,
                    gate,
                    up,
                    target.getInterleaveBlock(group),
                    moe::getShape(gate.getType()).back(),
                    {int64_t(gate.getOffset()), int64_t(up.getOffset())}};
}

struct InterleaveGates : impl::InterleaveGatesBase<InterleaveGates> {
  void runOnOperation() override {
    const kern::TargetModel *target = kern::getTarget(getOperation());
    if (!target)
      return signalPassFailure();
    llvm::MapVector<StringAttr, SmallVector<GatedGroup, 2>> byWeight;
    DenseMap<StringAttr, unsigned> uses = countWeightUses(getOperation());
    getOperation().walk([&](kern::GroupOp group) {
      if (auto gated = match(group, *target)) {
        auto param = gated->product->getOperand(1).getDefiningOp<moe::ParamOp>();
        byWeight[param.getWeightAttr().getAttr()].push_back(*gated);
      }
    });
    SymbolTable symbols(getOperation());
    for (auto &[name, groups] : byWeight) {
      auto weight = symbols.lookup<moe::WeightOp>(name);
      if (auto reason = refuse(weight, groups, uses[name])) {
        for (const GatedGroup &gated : groups)
          reportRefusal(gated.group, kPass, *reason);
        continue;
      }
      for (const GatedGroup &gated : groups)
        interleave(gated);
      auto concat = cast<moe::ConcatAttr>(weight.getRecipe());
      weight.setRecipeAttr(moe::InterleaveAttr::get(&getContext(), concat.getAxis(),
                                                    groups.front().block, concat.getParts()));
    }
  }

  /// Why the rows of `weight`, which `groups` read, are left where they are, or nothing.
  std::optional<std::string> refuse(moe::WeightOp weight, ArrayRef<GatedGroup> groups,
                                    unsigned uses) {
    int64_t block = groups.front().block, columns = groups.front().columns;
    for (const GatedGroup &gated : groups)
      if (auto linear = dyn_cast<moe::LinearOp>(gated.product); linear && linear.getBias())
        return "the product has a bias, whose elements would have to follow the rows";
    if (block == 0)
      return "the target reads gates and what they gate from two places";
    auto concat = dyn_cast<moe::ConcatAttr>(weight.getRecipe());
    int64_t rowAxis = moe::getShape(weight.getType()).size() - 2;
    if (!concat || concat.getAxis() != rowAxis ||
        concat.getSizes() != ArrayRef<int64_t>{columns, columns})
      return "the weight is not made of gates and as many rows that they gate";
    if (groups.size() != uses)
      return "weight @" + weight.getSymName().str() + " is used elsewhere in another way";
    for (const GatedGroup &gated : groups)
      if (gated.block != block || gated.offsets[0] != 0 || gated.offsets[1] != columns)
        return "the groups that read weight @" + weight.getSymName().str() + " want it in two ways";
    moe::QuantSchemeAttr scheme = moe::getScheme(weight.getType());
    int64_t rows = scheme ? scheme.getBlock()[0] : 1;
    if (rows == 0 || block % rows || columns % rows)
      return "rows in blocks of " + std::to_string(block) + " would part rows that share a scale";
    return std::nullopt;
  }

  void interleave(const GatedGroup &gated) {
    moe::SliceOp gate = gated.gate, up = gated.up;
    OpBuilder builder(gate->isBeforeInBlock(up) ? gate : up);
    auto parts = moe::DeinterleaveOp::create(builder, gated.product->getLoc(),
                                             TypeRange{gate.getType(), up.getType()}, gate.getX(),
                                             gated.block);
    gate.replaceAllUsesWith(parts->getResult(0));
    up.replaceAllUsesWith(parts->getResult(1));
    gate.erase();
    up.erase();
    reportSuccess(gated.group, kPass,
                  "gates are packed in turn with what they gate, in blocks of " +
                      std::to_string(gated.block) + " rows");
  }
};

} // namespace
} // namespace moec::passes
