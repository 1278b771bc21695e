#include "passes/Fusion.h"

#include "dialects/moe/MoeSamplingOps.h"

#include "passes/Remarks.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

//===----------------------------------------------------------------------===//
// Heroes and labels
//===----------------------------------------------------------------------===//

std::optional<kern::Hero> moec::passes::getHero(Operation *op) {
  using kern::Hero;
  using Found = std::optional<Hero>;
  return llvm::TypeSwitch<Operation *, Found>(op)
      .Case<moe::LinearOp>([](auto) { return Hero::Matmul; })
      .Case<moe::GroupedLinearOp>([](auto) { return Hero::GroupedMatmul; })
      .Case<moe::HeadLinearOp>([](auto) { return Hero::HeadMatmul; })
      .Case<moe::AttentionOp, moe::LatentAttentionOp, moe::MlaAttentionOp>(
          [](auto) { return Hero::Attention; })
      .Case<moe::GateOp>([](auto) { return Hero::Routing; })
      .Case<moe::PermuteOp>([](auto) { return Hero::Permutation; })
      .Case<moe::AddOp, moe::SwigluOp, moe::ConcatOp, moe::DequantizeOp>(
          [](auto) { return Hero::Pointwise; })
      .Case<moe::EmbeddingOp, moe::GatherRowsOp, moe::RmsNormOp, moe::QuantizeOp, moe::RopeOp,
            moe::CacheAppendOp, moe::CombineOp, moe::ChunkMaximaOp, moe::ChunkMassesOp,
            moe::SampleOp>([](auto) { return Hero::Rows; })
      .Default([](Operation *) { return Found(); });
}

StringRef moec::passes::getResponsiblePass(Operation *op) {
  if (isa<moe::ExpertsOp>(op))
    return "expand-experts";
  if (isa<kern::GroupOp>(op))
    return "outline-kernels";
  return getHero(op) ? "group-remaining" : "";
}

static void collectNames(Location loc, llvm::SmallSetVector<StringRef, 4> &names) {
  if (auto named = dyn_cast<NameLoc>(loc))
    names.insert(named.getName().getValue());
  else if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      collectNames(part, names);
}

std::string moec::passes::getLabel(Location loc) {
  llvm::SmallSetVector<StringRef, 4> names;
  collectNames(loc, names);
  std::string label;
  StringRef parent;
  for (StringRef name : names) {
    if (label.empty())
      label = name.str();
    else
      label += ("+" + (name.rsplit('.').first == parent ? name.rsplit('.').second : name)).str();
    parent = name.rsplit('.').first;
  }
  return label;
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

using OpSet = llvm::SmallPtrSet<Operation *, 8>;

/// The earliest op of the block, outside `ops`, that uses a result of `ops`.
static Operation *findFirstUser(ArrayRef<Operation *> ops, const OpSet &members) {
  Operation *first = nullptr;
  for (Operation *op : ops)
    for (Operation *user : op->getUsers()) {
      Operation *ancestor = op->getBlock()->findAncestorOpInBlock(*user);
      if (!members.contains(ancestor) && (!first || ancestor->isBeforeInBlock(first)))
        first = ancestor;
    }
  return first;
}

/// What `op`, or an op inside of it, reads of values that its block defines.
static SmallVector<Value> getOperandsOfBlock(Operation *op) {
  SmallVector<Value> values;
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (operand.getDefiningOp() && operand.getParentBlock() == op->getBlock())
        values.push_back(operand);
  });
  return values;
}

using OpList = llvm::SmallSetVector<Operation *, 8>;

/// Collects what must move so that `op` can stand at `place`: params and slices, which
/// compute nothing. False when another op would have to move.
static bool collectHoists(Operation *op, const OpSet &members, Operation *place, OpList &hoists) {
  return llvm::all_of(getOperandsOfBlock(op), [&](Value operand) {
    Operation *def = operand.getDefiningOp();
    if (members.contains(def) || def->isBeforeInBlock(place))
      return true;
    if (!isa<moe::ParamOp, moe::SliceOp>(def) || !collectHoists(def, members, place, hoists))
      return false;
    hoists.insert(def);
    return true;
  });
}

/// Makes all operands of `ops` be defined before `place`, moving params and slices. False
/// when another op would have to move.
static bool hoistOperands(ArrayRef<Operation *> ops, const OpSet &members, Operation *place) {
  OpList hoists;
  for (Operation *op : ops)
    if (!collectHoists(op, members, place, hoists))
      return false;
  for (Operation *hoist : hoists)
    hoist->moveBefore(place);
  return true;
}

/// The op before which all of `ops`, in block order, can stand: the last of them, or the first user
/// of a result. Null when an operand comes later than that.
static Operation *findPlace(ArrayRef<Operation *> ops) {
  OpSet members(ops.begin(), ops.end());
  Operation *place = ops.back();
  Operation *user = findFirstUser(ops, members);
  if (!user || !user->isBeforeInBlock(place))
    return place;
  return hoistOperands(ops, members, user) ? user : nullptr;
}

kern::GroupOp moec::passes::createGroup(ArrayRef<Operation *> unordered, Operation *heroOp,
                                        kern::Hero hero) {
  SmallVector<Operation *, 4> ops(unordered);
  llvm::sort(ops, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  OpSet members(ops.begin(), ops.end());
  Operation *place = findPlace(ops);
  if (!place)
    return {};

  SmallVector<Value> results;
  for (Operation *op : ops)
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *u) { return !members.contains(u); }))
        results.push_back(result);

  OpBuilder builder(place);
  std::string label = getLabel(heroOp->getLoc());
  auto group =
      kern::GroupOp::create(builder, heroOp->getLoc(), TypeRange(ValueRange(results)),
                            kern::HeroAttr::get(builder.getContext(), hero), kern::ScheduleAttr(),
                            label.empty() ? StringAttr() : builder.getStringAttr(label));
  Block *body =
      group.getBody().empty() ? &group.getBody().emplaceBlock() : &group.getBody().front();
  for (auto [inner, outer] : llvm::zip(results, group.getResults()))
    inner.replaceUsesWithIf(outer,
                            [&](OpOperand &use) { return !members.contains(use.getOwner()); });
  for (Operation *op : ops)
    op->moveBefore(body, body->end());
  builder.setInsertionPointToEnd(body);
  kern::YieldOp::create(builder, heroOp->getLoc(), results);
  return group;
}

/// One group at `place` of the ops and results of `first`, then of `second`.
static kern::GroupOp mergeGroups(kern::GroupOp first, kern::GroupOp second, kern::Hero hero,
                                 Operation *place) {
  OpBuilder builder(place);
  MLIRContext *context = builder.getContext();
  Location loc = FusedLoc::get(context, {first.getLoc(), second.getLoc()});
  SmallVector<Type> types(first->getResultTypes());
  llvm::append_range(types, second->getResultTypes());
  std::string label = getLabel(loc);
  auto group = kern::GroupOp::create(builder, loc, types, kern::HeroAttr::get(context, hero),
                                     kern::ScheduleAttr(),
                                     label.empty() ? StringAttr() : builder.getStringAttr(label));
  Block *body =
      group.getBody().empty() ? &group.getBody().emplaceBlock() : &group.getBody().front();
  SmallVector<Value> yielded;
  for (kern::GroupOp part : {first, second}) {
    Block &from = part.getBody().front();
    Operation *yield = from.getTerminator();
    part.replaceAllUsesWith(group->getResults().slice(yielded.size(), part->getNumResults()));
    llvm::append_range(yielded, yield->getOperands());
    yield->erase();
    body->getOperations().splice(body->end(), from.getOperations());
  }
  builder.setInsertionPointToEnd(body);
  kern::YieldOp::create(builder, loc, yielded);
  first.erase();
  second.erase();
  return group;
}

kern::GroupOp moec::passes::joinGroups(kern::GroupOp first, kern::GroupOp second, kern::Hero hero) {
  Operation *place = findPlace({first, second});
  return place ? mergeGroups(first, second, hero, place) : kern::GroupOp();
}

/// The slices through which `consumer` reads results of `producer`, in block order.
static SmallVector<Operation *> getSlicesBetween(kern::GroupOp producer, kern::GroupOp consumer) {
  llvm::SmallSetVector<Operation *, 4> slices;
  for (Value operand : getOperandsOfBlock(consumer)) {
    SmallVector<Operation *> chain;
    while (auto slice = operand.getDefiningOp<moe::SliceOp>()) {
      chain.push_back(slice);
      operand = slice.getX();
    }
    if (operand.getDefiningOp() == producer)
      slices.insert_range(chain);
  }
  SmallVector<Operation *> sorted = slices.takeVector();
  llvm::sort(sorted, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return sorted;
}

kern::GroupOp moec::passes::appendGroup(kern::GroupOp producer, kern::GroupOp consumer) {
  SmallVector<Operation *> slices = getSlicesBetween(producer, consumer), all = {producer};
  llvm::append_range(all, slices);
  all.push_back(consumer);
  Operation *place = findPlace(all);
  if (!place)
    return {};

  // What the consumer reads of the producer it now reads inside.
  Region &body = consumer.getBody();
  auto isInside = [&](OpOperand &use) { return use.getOwner()->getParentRegion() == &body; };
  OpBuilder builder = OpBuilder::atBlockBegin(&body.front());
  for (Operation *slice : slices)
    slice->getResult(0).replaceUsesWithIf(builder.clone(*slice)->getResult(0), isInside);
  ValueRange yielded = producer.getBody().front().getTerminator()->getOperands();
  for (auto [outer, inner] : llvm::zip(producer.getResults(), yielded))
    outer.replaceUsesWithIf(inner, isInside);
  kern::GroupOp group = mergeGroups(producer, consumer, *producer.getHero(), place);
  for (Operation *slice : llvm::reverse(slices)) {
    if (slice->use_empty())
      slice->erase();
    else
      slice->moveAfter(group);
  }
  return group;
}

SmallVector<Operation *> moec::passes::getOps(kern::GroupOp group) {
  SmallVector<Operation *> ops;
  for (Operation &op : group.getBody().front().without_terminator())
    ops.push_back(&op);
  return ops;
}

bool moec::passes::hasHero(kern::GroupOp group, ArrayRef<kern::Hero> heroes) {
  std::optional<kern::Hero> hero = group.getHero();
  return hero && llvm::is_contained(heroes, *hero);
}

bool moec::passes::isRowGroup(kern::GroupOp group) {
  return hasHero(group, {kern::Hero::Rows, kern::Hero::Pointwise});
}

std::optional<std::string> moec::passes::refuseToMove(Operation *op) {
  auto append = dyn_cast<moe::CacheAppendOp>(op);
  if (append && !append.getCache().hasOneUse())
    return "the cache's old contents are read too";
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Fusion
//===----------------------------------------------------------------------===//

bool Fusion::add(Operation *op, bool before) {
  if (std::optional<std::string> reason = target.refuseFusion(hero, op, before)) {
    reportRefusal(op, pass, *reason);
    return false;
  }
  ops.push_back(op);
  return true;
}

void Fusion::addSumsBehind(Operation *op) {
  while (op->hasOneUse()) {
    auto sum = getConsumer<moe::AddOp>(op->getResult(0));
    if (!sum || !addConsumer(sum))
      return;
    op = sum;
  }
}

kern::GroupOp Fusion::commit() {
  if (ops.size() == 1)
    return {};
  kern::GroupOp group = createGroup(ops, heroOp, hero);
  if (!group) {
    reportRefusal(heroOp, pass, "a result is used before all operands of the group are there");
    return {};
  }
  std::string names;
  for (Operation &op : group.getBody().front().without_terminator())
    names += (names.empty() ? "" : ", ") + op.getName().stripDialect().str();
  reportSuccess(heroOp, pass, "fused " + std::to_string(ops.size()) + " ops: " + names);
  return group;
}
