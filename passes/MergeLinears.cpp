// Linears that read one input become one over the concatenated weight (and bias), and
// slices of its result: fewer launches, and one longer stream of weights.
// Candidates of all functions are collected first, because a weight may be
// merged only when every use of it is merged in the same way.
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "passes/WeightUses.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"

#include <numeric>

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_MERGELINEARS
#include "passes/Passes.h.inc"

namespace {

constexpr llvm::StringLiteral kPass = "merge-linears";

/// A linear or grouped linear whose weight, and bias if it has one, are params.
struct Part {
  Operation *op;
  moe::ParamOp weight;
  moe::ParamOp bias; // null: none

  bool isGrouped() const { return isa<moe::GroupedLinearOp>(op); }
  /// Axis of the weight's output features.
  unsigned getAxis() const { return isGrouped() ? 1 : 0; }
  Type getType() const { return moe::ParamOp(weight).getType(); }
  int64_t getColumns() const { return moe::getShape(getType())[getAxis()]; }
  SmallVector<StringAttr, 2> getSymbols() const {
    SmallVector<StringAttr, 2> symbols;
    for (moe::ParamOp param : {weight, bias})
      if (param)
        symbols.push_back(param.getWeightAttr().getAttr());
    return symbols;
  }
};

/// Parts that become one, in the order of their rows in the joined weight.
using Group = SmallVector<Part, 3>;

std::optional<Part> matchPart(Operation *op) {
  Value weight, bias;
  if (auto linear = dyn_cast<moe::LinearOp>(op)) {
    weight = linear.getWeight();
    bias = linear.getBias();
  } else if (auto linear = dyn_cast<moe::GroupedLinearOp>(op)) {
    weight = linear.getWeight();
  }
  auto getParam = [](Value value) {
    return value ? value.getDefiningOp<moe::ParamOp>() : moe::ParamOp();
  };
  Part part{op, getParam(weight), getParam(bias)};
  if (!part.weight || (bias && !part.bias))
    return std::nullopt;
  return part;
}

bool isRouter(const Part &part) {
  return llvm::any_of(part.op->getUsers(), [](Operation *user) { return isa<moe::GateOp>(user); });
}

/// Whether the part is a query that is rotated and multiplied by an absorbed up-projection next.
bool isAbsorbedQuery(const Part &part) {
  auto absorbs = [](Operation *user) {
    auto product = dyn_cast<moe::HeadLinearOp>(user);
    return product && product.getTransposed();
  };
  return llvm::any_of(part.op->getUsers(), [&](Operation *user) {
    return isa<moe::RopeOp>(user) && llvm::any_of(user->getUsers(), absorbs);
  });
}

/// Why the part stays alone, or null.
const char *refusePart(const Part &part) {
  if (isRouter(part))
    return "it feeds a gate, and belongs in the gate's kernel";
  if (isAbsorbedQuery(part))
    return "its rope and the absorbed up-projection belong in its kernel";
  return nullptr;
}

/// A weight's type with another size of one axis.
Type withSize(Type type, unsigned axis, int64_t size) {
  SmallVector<int64_t> shape(moe::getShape(type));
  shape[axis] = size;
  if (auto scheme = moe::getScheme(type))
    return moe::QTensorType::get(scheme.getContext(), shape, scheme);
  return cast<RankedTensorType>(type).clone(shape);
}

/// Same kind of product, same operands but weight and bias, same scheme.
bool areAlikeButBias(const Part &a, const Part &b) {
  if (a.op->getName() != b.op->getName() || a.op->getBlock() != b.op->getBlock() ||
      a.op->getAttrDictionary() != b.op->getAttrDictionary() ||
      withSize(a.getType(), a.getAxis(), 1) != withSize(b.getType(), b.getAxis(), 1))
    return false;
  auto getOthers = [](const Part &part) {
    SmallVector<Value> others(part.op->getOperands());
    llvm::erase_if(others, [&](Value operand) {
      auto param = operand.getDefiningOp<moe::ParamOp>();
      return param && (param == part.weight || param == part.bias);
    });
    return others;
  };
  return getOthers(a) == getOthers(b);
}

/// Why the biases of two parts cannot be joined, or nothing.
std::optional<std::string> refuseBias(const Part &a, const Part &b) {
  if (!a.bias != !b.bias)
    return "only one of it and another linear of this input has a bias";
  if (a.bias && withSize(moe::ParamOp(a.bias).getType(), 0, 1) !=
                    withSize(moe::ParamOp(b.bias).getType(), 0, 1))
    return "its bias and that of another linear of this input are of two types";
  return std::nullopt;
}

/// True when the part's rows fill whole blocks, so that another part may follow.
bool endsOnBlockEdge(const Part &part) {
  moe::QuantSchemeAttr scheme = moe::getScheme(part.getType());
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
      add(byInput[op->getOperand(0)], *part);
    });
    for (auto &[input, candidates] : byInput)
      for (Group &group : candidates)
        if (std::optional<Group> parts = select(group))
          groups.push_back(std::move(*parts));
  }

  /// Adds the part to the candidates that it could be joined with.
  static void add(SmallVector<Group, 2> &candidates, const Part &part) {
    std::optional<std::string> reason;
    for (Group &group : candidates) {
      if (!areAlikeButBias(group.front(), part))
        continue;
      auto refused = refuseBias(group.front(), part);
      if (!refused)
        return group.push_back(part);
      reason = refused;
    }
    if (reason)
      reportRefusal(part.op, kPass, *reason);
    candidates.emplace_back().push_back(part);
  }

  /// The parts of `group` that can be joined, the one that ends inside a block last.
  std::optional<Group> select(const Group &group) {
    Group parts, ragged;
    for (const Part &part : group) {
      const char *reason = refusePart(part);
      if (reason && group.size() > 1)
        reportRefusal(part.op, kPass, reason);
      if (!reason)
        (endsOnBlockEdge(part) ? parts : ragged).push_back(part);
    }
    for (const Part &part : llvm::drop_begin(ragged, std::min<size_t>(1, ragged.size())))
      reportRefusal(part.op, kPass,
                    "weight @" + part.getSymbols()[0].str() + " has " +
                        std::to_string(part.getColumns()) +
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
      for (StringAttr symbol : part.getSymbols())
        key += symbol.str() + '\n';
    return key;
  }

  /// How often each weight is used at all, and how often under which key.
  void countUses(ArrayRef<Group> groups) {
    uses = countWeightUses(getOperation());
    keys.clear();
    for (const Group &group : groups)
      for (const Part &part : group)
        for (StringAttr symbol : part.getSymbols())
          ++keys[symbol][getKey(group)];
  }

  bool isAllowed(const Group &group) {
    for (const Part &part : group)
      for (StringAttr symbol : part.getSymbols()) {
        const auto &counts = keys[symbol];
        if (counts.size() == 1 && counts.begin()->second == uses[symbol])
          continue;
        reportRefusal(part.op, kPass,
                      "weight @" + symbol.str() + " is used elsewhere in another way");
        return false;
      }
    return true;
  }

  /// The weights of the group: "layers.0.q_k_v" of "layers.0.q", "layers.0.k" and "layers.0.v".
  moe::WeightOp getMergedWeight(const Group &group, SymbolTable &symbols) {
    std::string name;
    for (const Part &part : group) {
      StringRef full = part.getSymbols()[0].getValue();
      name += name.empty() ? full.str() : "_" + full.substr(full.rfind('.') + 1).str();
    }
    return getMerged(group, &Part::weight, group.front().getAxis(), name, symbols);
  }

  /// What `param` is in each part, joined along `axis`.
  moe::WeightOp getMerged(const Group &group, moe::ParamOp Part::*param, unsigned axis,
                          StringRef name, SymbolTable &symbols) {
    moe::WeightOp &weight = merged[(name + "\n" + getKey(group)).str()];
    if (weight)
      return weight;
    SmallVector<Attribute> recipes;
    SmallVector<int64_t> sizes;
    moe::WeightOp last;
    for (const Part &part : group) {
      last = symbols.lookup<moe::WeightOp>(moe::ParamOp(part.*param).getWeightAttr().getAttr());
      recipes.push_back(last.getRecipe());
      sizes.push_back(part.getColumns());
    }
    OpBuilder builder(last);
    Type type = withSize(last.getType(), axis, std::reduce(sizes.begin(), sizes.end()));
    weight = moe::WeightOp::create(builder, last.getLoc(), name, type,
                                   moe::ConcatAttr::get(&getContext(), axis, sizes, recipes));
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
    IRMapping mapping;
    auto replace = [&](moe::ParamOp part, moe::WeightOp whole) {
      mapping.map(part.getResult(),
                  moe::ParamOp::create(builder, loc, whole.getType(),
                                       FlatSymbolRefAttr::get(whole.getSymNameAttr())));
    };
    replace(group.front().weight, weight);
    if (group.front().bias)
      replace(group.front().bias, getMerged(group, &Part::bias, /*axis=*/0,
                                            (weight.getSymName() + ".bias").str(), symbols));
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
