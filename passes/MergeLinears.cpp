// Linears that read one input become one over the concatenated weight, and
// slices of its result: fewer launches, and one longer stream of weights.
// Candidates of all functions are collected first, because a weight may be
// merged only when every use of it is merged in the same way.
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "passes/WeightUses.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_MERGELINEARS
#include "passes/Passes.h.inc"

namespace {

constexpr llvm::StringLiteral kPass = "merge-linears";

/// A linear or grouped linear whose weight is a param.
struct Part {
  Operation *op;
  Value param;
  StringAttr weight; // symbol
  Type weightType;

  bool isGrouped() const { return isa<moe::GroupedLinearOp>(op); }
  /// Axis of the weight's output features.
  unsigned getAxis() const { return isGrouped() ? 1 : 0; }
  int64_t getColumns() const { return moe::getShape(weightType)[getAxis()]; }
};

/// Parts that become one, in the order of their rows in the joined weight.
using Group = SmallVector<Part, 3>;

std::optional<Part> matchPart(Operation *op) {
  Value weight;
  if (auto linear = dyn_cast<moe::LinearOp>(op))
    weight = linear.getWeight();
  else if (auto linear = dyn_cast<moe::GroupedLinearOp>(op))
    weight = linear.getWeight();
  auto param = weight ? weight.getDefiningOp<moe::ParamOp>() : moe::ParamOp();
  if (!param)
    return std::nullopt;
  return Part{op, param, param.getWeightAttr().getAttr(), weight.getType()};
}

bool isRouter(const Part &part) {
  return llvm::any_of(part.op->getUsers(), [](Operation *user) { return isa<moe::GateOp>(user); });
}

/// The weight's type with another number of output features.
Type withColumns(const Part &part, int64_t columns) {
  SmallVector<int64_t> shape(moe::getShape(part.weightType));
  shape[part.getAxis()] = columns;
  if (auto scheme = moe::getScheme(part.weightType))
    return moe::QTensorType::get(scheme.getContext(), shape, scheme);
  return cast<RankedTensorType>(part.weightType).clone(shape);
}

/// Same kind of product, same operands but the weight, same scheme.
bool areAlike(const Part &a, const Part &b) {
  if (a.op->getName() != b.op->getName() || a.op->getBlock() != b.op->getBlock() ||
      a.op->getAttrDictionary() != b.op->getAttrDictionary() ||
      withColumns(a, 1) != withColumns(b, 1))
    return false;
  return llvm::all_of(llvm::zip(a.op->getOperands(), b.op->getOperands()), [&](auto pair) {
    auto [left, right] = pair;
    return left == right || (left == a.param && right == b.param);
  });
}

/// True when the part's rows fill whole blocks, so that another part may follow.
bool endsOnBlockEdge(const Part &part) {
  moe::QuantSchemeAttr scheme = moe::getScheme(part.weightType);
  if (!scheme)
    return true;
  int64_t block = scheme.getBlock()[0];
  return block != 0 && part.getColumns() % block == 0;
}

struct MergeLinears : impl::MergeLinearsBase<MergeLinears> {
  void runOnOperation() override {
    SmallVector<Group> groups;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal())
        collect(function, groups);
    countUses(groups);
    SymbolTable symbols(getOperation());
    for (Group &group : groups)
      if (isAllowed(group))
        merge(group, symbols);
    merged.clear();
  }

  void collect(func::FuncOp function, SmallVector<Group> &groups) {
    llvm::MapVector<Value, SmallVector<Group, 2>> byInput;
    function.walk([&](Operation *op) {
      std::optional<Part> part = matchPart(op);
      if (!part)
        return;
      SmallVector<Group, 2> &candidates = byInput[op->getOperand(0)];
      auto *group = llvm::find_if(
          candidates, [&](const Group &group) { return areAlike(group.front(), *part); });
      if (group == candidates.end())
        group = &candidates.emplace_back();
      group->push_back(*part);
    });
    for (auto &[input, candidates] : byInput)
      for (Group &group : candidates)
        if (std::optional<Group> parts = select(group))
          groups.push_back(std::move(*parts));
  }

  /// The parts of `group` that can be joined, the one that ends inside a block last.
  std::optional<Group> select(const Group &group) {
    Group parts, ragged;
    for (const Part &part : group) {
      if (isRouter(part) && group.size() > 1)
        reportRefusal(part.op, kPass, "it feeds a gate, and belongs in the gate's kernel");
      else
        (endsOnBlockEdge(part) ? parts : ragged).push_back(part);
    }
    for (const Part &part : llvm::drop_begin(ragged, std::min<size_t>(1, ragged.size())))
      reportRefusal(part.op, kPass,
                    "weight @" + part.weight.str() + " has " + std::to_string(part.getColumns()) +
                        " rows, which end inside a block of its scheme, and so does another "
                        "weight of this input");
    if (!ragged.empty())
      parts.push_back(ragged.front());
    if (parts.size() < 2)
      return std::nullopt;
    return parts;
  }

  static std::string getKey(const Group &group) {
    std::string key;
    for (const Part &part : group)
      key += part.weight.str() + '\n';
    return key;
  }

  /// How often each weight is used at all, and how often under which key.
  void countUses(ArrayRef<Group> groups) {
    uses = countWeightUses(getOperation());
    keys.clear();
    for (const Group &group : groups)
      for (const Part &part : group)
        ++keys[part.weight][getKey(group)];
  }

  bool isAllowed(const Group &group) {
    std::string key = getKey(group);
    for (const Part &part : group) {
      const auto &counts = keys[part.weight];
      if (counts.size() == 1 && counts.begin()->second == uses[part.weight])
        continue;
      reportRefusal(part.op, kPass,
                    "weight @" + part.weight.str() + " is used elsewhere in another way");
      return false;
    }
    return true;
  }

  moe::WeightOp getMergedWeight(const Group &group, SymbolTable &symbols) {
    moe::WeightOp &weight = merged[getKey(group)];
    if (weight)
      return weight;
    SmallVector<Attribute> recipes;
    std::string name;
    SmallVector<int64_t> sizes;
    int64_t columns = 0;
    moe::WeightOp last;
    for (const Part &part : group) {
      last = symbols.lookup<moe::WeightOp>(part.weight);
      recipes.push_back(last.getRecipe());
      StringRef full = part.weight.getValue();
      name += name.empty() ? full.str() : "_" + full.substr(full.rfind('.') + 1).str();
      sizes.push_back(part.getColumns());
      columns += part.getColumns();
    }
    OpBuilder builder(last);
    weight = moe::WeightOp::create(
        builder, last.getLoc(), name, withColumns(group.front(), columns),
        moe::ConcatAttr::get(&getContext(), group.front().getAxis(), sizes, recipes));
    symbols.insert(weight);
    return weight;
  }

  void merge(const Group &group, SymbolTable &symbols) {
    moe::WeightOp weight = getMergedWeight(group, symbols);
    Operation *first = group.front().op;
    SmallVector<Location> locations;
    for (const Part &part : group) {
      locations.push_back(part.op->getLoc());
      if (part.op->isBeforeInBlock(first))
        first = part.op;
    }
    OpBuilder builder(first);
    Location loc = FusedLoc::get(&getContext(), locations);
    Value param = moe::ParamOp::create(builder, loc, weight.getType(),
                                       FlatSymbolRefAttr::get(weight.getSymNameAttr()));
    IRMapping mapping;
    mapping.map(group.front().param, param);
    auto firstType = cast<RankedTensorType>(group.front().op->getResult(0).getType());
    int64_t columns = moe::getShape(weight.getType())[group.front().getAxis()];
    Operation *joined = builder.clone(*group.front().op, mapping);
    joined->setLoc(loc);
    joined->getResult(0).setType(firstType.clone({firstType.getShape()[0], columns}));

    int64_t offset = 0;
    for (const Part &part : group) {
      auto slice = moe::SliceOp::create(builder, part.op->getLoc(), part.op->getResult(0).getType(),
                                        joined->getResult(0), offset);
      offset += part.getColumns();
      part.op->replaceAllUsesWith(slice);
      composeSlices(slice);
    }
    for (const Part &part : group)
      part.op->erase();
    reportSuccess(joined, kPass, "merged " + std::to_string(group.size()) + " products");
  }

  /// Slices of `slice` become slices of what it slices, so that a view is one step.
  static void composeSlices(moe::SliceOp slice) {
    for (Operation *user : llvm::make_early_inc_range(slice->getUsers()))
      if (auto inner = dyn_cast<moe::SliceOp>(user)) {
        inner.setOffset(inner.getOffset() + slice.getOffset());
        inner.getXMutable().assign(slice.getX());
      }
    if (slice.use_empty())
      slice.erase();
  }

  DenseMap<StringAttr, unsigned> uses;
  DenseMap<StringAttr, llvm::StringMap<unsigned>> keys;
  llvm::StringMap<moe::WeightOp> merged;
};

} // namespace
} // namespace moec::passes
