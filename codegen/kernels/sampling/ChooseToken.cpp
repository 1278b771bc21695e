#include "codegen/kernels/sampling/ChooseToken.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/sampling/TokenWeight.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

/// How exactly the bound of candidates is searched for, in places of the order of f32: 1/64 of a
/// logit's size. The rest of the search would cost more than the candidates that it leaves out.
static constexpr int64_t kBoundGrain = 1 << 17;

//===----------------------------------------------------------------------===//
// Small change
//===----------------------------------------------------------------------===//

static Value constantLong(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIntOp::create(b, value, 64);
}

static Value compareFloats(ImplicitLocOpBuilder &b, arith::CmpFPredicate predicate, Value lhs,
                           Value rhs) {
  return arith::CmpFOp::create(b, predicate, lhs, rhs);
}

static Value compareInts(ImplicitLocOpBuilder &b, arith::CmpIPredicate predicate, Value lhs,
                         Value rhs) {
  return arith::CmpIOp::create(b, predicate, lhs, rhs);
}

static Value extend(ImplicitLocOpBuilder &b, Value bits) {
  return arith::ExtUIOp::create(b, b.getI64Type(), bits);
}

/// scf.if whose branches yield a value each.
static SmallVector<Value> select(ImplicitLocOpBuilder &b, Value condition, TypeRange types,
                                 llvm::function_ref<SmallVector<Value>()> then,
                                 llvm::function_ref<SmallVector<Value>()> otherwise) {
  auto branch = scf::IfOp::create(b, types, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, then());
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, otherwise());
  return SmallVector<Value>(branch.getResults());
}

/// An i32 that is ordered as the f32 with these bits: negative ones count backwards. And back.
static Value flipNegative(ImplicitLocOpBuilder &b, Value bits) {
  Value sign = arith::ShRSIOp::create(b, bits, arith::ConstantIntOp::create(b, 31, 32));
  Value mask = arith::ConstantIntOp::create(b, 0x7FFFFFFF, 32);
  return arith::XOrIOp::create(b, bits, arith::AndIOp::create(b, sign, mask).getResult());
}

/// The place of a logit in the order of all f32, i64.
static Value getOrder(ImplicitLocOpBuilder &b, Value logit) {
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), logit);
  return arith::ExtSIOp::create(b, b.getI64Type(), flipNegative(b, bits));
}

static Value getLogit(ImplicitLocOpBuilder &b, Value order) {
  Value bits = flipNegative(b, arith::TruncIOp::create(b, b.getI32Type(), order));
  return arith::BitcastOp::create(b, b.getF32Type(), bits);
}

/// floor(sum * fraction / 2^32), or with `up` the next integer above what has a rest.
static Value takeShare(ImplicitLocOpBuilder &b, Value sum, Value fraction, bool up = false) {
  Value bits = constantLong(b, 32), mask = constantLong(b, 0xFFFFFFFF);
  Value low = arith::AndIOp::create(b, sum, mask), high = arith::ShRUIOp::create(b, sum, bits);
  low = arith::MulIOp::create(b, low, fraction);
  if (up)
    low = arith::AddIOp::create(b, low, mask);
  low = arith::ShRUIOp::create(b, low, bits);
  high = arith::MulIOp::create(b, high, fraction);
  return arith::AddIOp::create(b, high, low);
}

//===----------------------------------------------------------------------===//
// The row
//===----------------------------------------------------------------------===//

ChooseToken::ChooseToken(TileFunction &tile, moe::SampleOp op)
    : tile(tile), b(tile.b), team(tile.getTeam()), sums(tile),
      logits(tile.getArgument(op.getLogits())), maxima(tile.getArgument(op.getMaxima())),
      masses(tile.getArgument(op.getMasses())), sampling(tile.getArgument(op.getSampling())),
      columns(moe::getShape(op.getLogits().getType()).back()), chunk(op.getChunk()),
      chunks(moe::getShape(op.getMaxima().getType()).back()),
      keptLogits(tile.allocate({kCapacity}, b.getF32Type())),
      keptIds(tile.allocate({kCapacity}, b.getI32Type())),
      cursor(tile.allocate({1}, b.getI32Type())) {}

Value ChooseToken::loadLogit(Value column) { return loadFloat(b, logits.data, {row, column}); }
Value ChooseToken::loadMaximum(Value index) { return loadFloat(b, maxima.data, {row, index}); }
Value ChooseToken::getWeight(Value logit) { return emitWeight(b, logit, largest, factor); }

Value ChooseToken::loadMass(Value index) {
  Value low = memref::LoadOp::create(b, masses.data, ValueRange{row, index});
  Value high = memref::LoadOp::create(b, masses.data, ValueRange{row, addIndex(b, index, chunks)});
  high = arith::ShLIOp::create(b, extend(b, high), constantLong(b, kMassBits));
  return arith::AddIOp::create(b, high, extend(b, low));
}

Value ChooseToken::loadSampling(int64_t column) {
  return memref::LoadOp::create(b, sampling.data, ValueRange{row, constantIndex(b, column)});
}

void ChooseToken::loadRow() {
  row = tile.getTile();
  factor = arith::BitcastOp::create(b, b.getF32Type(), loadSampling(kFactor));
  topK = extend(b, loadSampling(kTopK));
  topP = extend(b, loadSampling(kTopP));
  random = extend(b, loadSampling(kRandom));
}

/// Of the elements begin <= index < end the largest, and its index (i32), the lowest of equals; -1
/// for none but NaNs.
static std::pair<Value, Value> findLargestOf(ImplicitLocOpBuilder &b, const Team &team, Value begin,
                                             Value end, llvm::function_ref<Value(Value)> load) {
  Value none = arith::ConstantIntOp::create(b, -1, 32);
  auto step = [&](Value index, ValueRange best) -> SmallVector<Value> {
    Value value = load(index);
    Value isFirst = compareInts(b, arith::CmpIPredicate::eq, best[1], none);
    Value isNumber = compareFloats(b, arith::CmpFPredicate::ORD, value, value);
    Value isLarger = compareFloats(b, arith::CmpFPredicate::OGT, value, best[0]);
    Value better =
        arith::OrIOp::create(b, isLarger, arith::AndIOp::create(b, isFirst, isNumber).getResult());
    Value id = arith::IndexCastOp::create(b, b.getI32Type(), index);
    return {arith::SelectOp::create(b, better, value, best[0]),
            arith::SelectOp::create(b, better, id, best[1])};
  };
  Value nothing = constantFloat(b, -std::numeric_limits<double>::infinity());
  Value first = team.isOne() ? begin : addIndex(b, begin, team.thread);
  auto best = forRange(b, first, end, team.threads, {nothing, none}, step);
  if (team.isOne())
    return {best[0], best[1]};
  return findLargest(b, team, best[0], best[1]);
}

/// The largest logit's id, i32; -1 when there is none. Also learns the largest logit.
Value ChooseToken::findLargestId() {
  auto [value, index] = findLargestOf(b, team, constantIndex(b, 0), constantIndex(b, chunks),
                                      [&](Value chunk) { return loadMaximum(chunk); });
  largest = value;
  end = arith::AddIOp::create(b, getOrder(b, largest), constantLong(b, 1));
  Value first = mulIndex(b, arith::IndexCastOp::create(b, b.getIndexType(), index), chunk);
  Value last = arith::MinUIOp::create(b, addIndex(b, first, chunk), constantIndex(b, columns));
  return findLargestOf(b, team, first, last, [&](Value column) { return loadLogit(column); })
      .second;
}

//===----------------------------------------------------------------------===//
// All candidates, in order of id
//===----------------------------------------------------------------------===//

/// The first index from `begin` on, below `end`, at which the running sum of `term` exceeds
/// `target`, i64, and the sum before it.
static std::pair<Value, Value> findCrossing(ImplicitLocOpBuilder &b, TeamSums &sums, Value begin,
                                            Value end, Value target,
                                            llvm::function_ref<Value(Value)> term) {
  auto toIndex = [&](Value value) -> Value {
    return arith::IndexCastOp::create(b, b.getIndexType(), value);
  };
  auto toLong = [&](Value index) -> Value {
    return arith::IndexCastOp::create(b, b.getI64Type(), index);
  };
  auto sumBefore = [&](Value index) { return sums.addTerms(begin, toIndex(index), term); };
  // The most elements that do not exceed it; all of them do.
  Value found = sums.findLast(toLong(begin), toLong(end), [&](Value count) {
    return compareInts(b, arith::CmpIPredicate::ule, sumBefore(count), target);
  });
  return {toIndex(found), sumBefore(found)};
}

Value ChooseToken::drawFromAll() {
  Value zero = constantIndex(b, 0), last = constantIndex(b, chunks);
  auto mass = [&](Value index) { return loadMass(index); };
  Value target = takeShare(b, sums.addTerms(zero, last, mass), random);
  auto [index, before] = findCrossing(b, sums, zero, last, target, mass);
  Value rest = arith::SubIOp::create(b, target, before);
  Value first = mulIndex(b, index, chunk);
  Value behind = arith::MinUIOp::create(b, addIndex(b, first, chunk), constantIndex(b, columns));
  auto weight = [&](Value column) { return getWeight(loadLogit(column)); };
  Value column = findCrossing(b, sums, first, behind, rest, weight).first;
  return arith::IndexCastOp::create(b, b.getI32Type(), column);
}

//===----------------------------------------------------------------------===//
// Kept candidates, in order of logit
//===----------------------------------------------------------------------===//

/// An order such that what top_k and top_p keep is not below: already the largest of each chunk are
/// as many, or weigh as much.
Value ChooseToken::findBound() {
  Value zero = constantIndex(b, 0), last = constantIndex(b, chunks), one = constantLong(b, 1);
  Value counts = compareInts(b, arith::CmpIPredicate::ne, topK, constantLong(b, 0));
  Value total = sums.addTerms(zero, last, [&](Value index) { return loadMass(index); });
  Value share = takeShare(b, total, topP, /*up=*/true);
  Value wanted = arith::SelectOp::create(b, counts, topK, share);
  Value lowest = getOrder(b, constantFloat(b, -std::numeric_limits<double>::infinity()));
  auto reaches = [&](Value order) -> Value {
    Value from = getLogit(b, order);
    Value sum = sums.addTerms(zero, last, [&](Value index) -> Value {
      Value logit = loadMaximum(index);
      Value isIn = compareFloats(b, arith::CmpFPredicate::OGE, logit, from);
      Value term = arith::SelectOp::create(b, counts, one, getWeight(logit));
      return arith::SelectOp::create(b, isIn, term, constantLong(b, 0));
    });
    return compareInts(b, arith::CmpIPredicate::uge, sum, wanted);
  };
  return sums.findLast(lowest, end, reaches, kBoundGrain);
}

/// Gathers the logits from `bound` on in the workspace, in any order.
void ChooseToken::collect(Value bound) {
  Value zero = constantIndex(b, 0), from = getLogit(b, bound);
  Value lowest = constantFloat(b, -std::numeric_limits<double>::infinity());
  auto number = [&](int64_t value) { return arith::ConstantIntOp::create(b, value, 32); };
  barrier(b, team);
  runOnce(b, team, [&] { memref::StoreOp::create(b, number(0), cursor, zero); });
  barrier(b, team);
  Value isBounded = compareFloats(b, arith::CmpFPredicate::OGT, from, lowest);
  auto gather = [&](Value column) {
    Value logit = loadLogit(column);
    ifThen(b, compareFloats(b, arith::CmpFPredicate::OGE, logit, from), [&] {
      Value slot = memref::AtomicRMWOp::create(b, arith::AtomicRMWKind::addi, number(1), cursor,
                                               ValueRange{zero});
      Value hasRoom = compareInts(b, arith::CmpIPredicate::ult, slot, number(kCapacity));
      ifThen(b, hasRoom, [&] {
        Value at = arith::IndexCastOp::create(b, b.getIndexType(), slot);
        memref::StoreOp::create(b, logit, keptLogits, at);
        memref::StoreOp::create(b, arith::IndexCastOp::create(b, b.getI32Type(), column), keptIds,
                                at);
      });
    });
  };
  ifThen(b, isBounded, [&] {
    forItems(b, team, zero, constantIndex(b, chunks), [&](Value index, const Team &part) {
      Value isIn = compareFloats(b, arith::CmpFPredicate::OGE, loadMaximum(index), from);
      Value first = mulIndex(b, index, chunk);
      Value behind =
          arith::MinUIOp::create(b, addIndex(b, first, chunk), constantIndex(b, columns));
      ifThen(b, isIn, [&] { forScalars(b, part, first, behind, gather); });
    });
  });
  barrier(b, team);
  Value gathered = memref::LoadOp::create(b, cursor, zero);
  Value fits = compareInts(b, arith::CmpIPredicate::ule, gathered, number(kCapacity));
  isGathered = arith::AndIOp::create(b, isBounded, fits);
  numGathered = arith::IndexCastOp::create(b, b.getIndexType(), gathered);
}

Value ChooseToken::sum(Test test, bool weigh) {
  auto term = [&](Value logit, Value id) -> Value {
    Value amount = weigh ? getWeight(logit) : constantLong(b, 1);
    return arith::SelectOp::create(b, test(logit, id), amount, constantLong(b, 0));
  };
  auto run = [&](Value size, llvm::function_ref<Value(Value)> body) -> SmallVector<Value> {
    const Team &adding = sums.getTeam();
    Value first = adding.isOne() ? constantIndex(b, 0) : adding.thread;
    auto step = [&](Value index, ValueRange carried) -> SmallVector<Value> {
      return {arith::AddIOp::create(b, carried[0], body(index))};
    };
    return forRange(b, first, size, adding.threads, {constantLong(b, 0)}, step);
  };
  auto fromWorkspace = [&] {
    return run(numGathered, [&](Value at) {
      Value logit = memref::LoadOp::create(b, keptLogits, at);
      return term(logit, memref::LoadOp::create(b, keptIds, at));
    });
  };
  auto fromRow = [&] {
    return run(constantIndex(b, columns), [&](Value column) {
      return term(loadLogit(column), arith::IndexCastOp::create(b, b.getI32Type(), column));
    });
  };
  return sums.add(select(b, isGathered, b.getI64Type(), fromWorkspace, fromRow)[0]);
}

Value ChooseToken::sumFrom(Value order, bool weigh) {
  Value from = getLogit(b, order);
  return sum(
      [&](Value logit, Value) { return compareFloats(b, arith::CmpFPredicate::OGE, logit, from); },
      weigh);
}

Value ChooseToken::sumAbove(Value order, bool weigh) {
  Value from = getLogit(b, order);
  return sum(
      [&](Value logit, Value) { return compareFloats(b, arith::CmpFPredicate::OGT, logit, from); },
      weigh);
}

/// TeamSums::findLast of sums over candidates.
Value ChooseToken::findLast(Value low, Value high, llvm::function_ref<Value(Value)> holds) {
  if (team.isOne())
    return sums.findLast(low, high, holds);
  return select(
      b, isGathered, b.getI64Type(),
      [&]() -> SmallVector<Value> { return {sums.findLastApart(low, high, holds)}; },
      [&]() -> SmallVector<Value> { return {sums.findLast(low, high, holds)}; })[0];
}

ChooseToken::Kept ChooseToken::keepTopK(Value bound) {
  auto keepMost = [&]() -> SmallVector<Value> {
    Value last = findLast(bound, end, [&](Value order) {
      return compareInts(b, arith::CmpIPredicate::uge, sumFrom(order, /*weigh=*/false), topK);
    });
    Value above = sumAbove(last, /*weigh=*/false);
    Value equal = arith::SubIOp::create(b, sumFrom(last, /*weigh=*/false), above);
    Value room = arith::SubIOp::create(b, topK, above);
    Value taken = arith::MinUIOp::create(b, room, equal);
    Value mass = arith::MulIOp::create(b, taken, getWeight(getLogit(b, last)));
    return {last, arith::AddIOp::create(b, mass, sumAbove(last, /*weigh=*/true))};
  };
  auto keepAll = [&]() -> SmallVector<Value> {
    Value total = sums.addTerms(constantIndex(b, 0), constantIndex(b, chunks),
                                [&](Value index) { return loadMass(index); });
    return {bound, total};
  };
  Type type = b.getI64Type();
  Value counts = compareInts(b, arith::CmpIPredicate::ne, topK, constantLong(b, 0));
  auto kept = select(b, counts, {type, type}, keepMost, keepAll);
  return {kept[0], kept[1]};
}

ChooseToken::Kept ChooseToken::keepTopP(Kept kept) {
  Value one = constantLong(b, 1);
  auto keepShare = [&]() -> SmallVector<Value> {
    Value wanted = arith::MaxUIOp::create(b, takeShare(b, kept.mass, topP, /*up=*/true), one);
    Value last = findLast(kept.last, end, [&](Value order) {
      return compareInts(b, arith::CmpIPredicate::uge, sumFrom(order, /*weigh=*/true), wanted);
    });
    // Of equals as many as it takes.
    Value above = sumAbove(last, /*weigh=*/true);
    Value weight = arith::MaxUIOp::create(b, getWeight(getLogit(b, last)), one);
    Value missing = arith::SubIOp::create(b, wanted, above);
    Value most = arith::SubIOp::create(b, arith::AddIOp::create(b, missing, weight), one);
    Value taken = arith::DivUIOp::create(b, most, weight);
    Value mass = arith::MulIOp::create(b, taken, weight);
    return {last, arith::AddIOp::create(b, above, mass)};
  };
  auto keepAll = [&]() -> SmallVector<Value> { return {kept.last, kept.mass}; };
  Type type = b.getI64Type();
  Value cuts = compareInts(b, arith::CmpIPredicate::ne, topP, constantLong(b, 0));
  auto cut = select(b, cuts, {type, type}, keepShare, keepAll);
  return {cut[0], cut[1]};
}

/// The n-th id, from 0 on, of the candidates whose order is `last`, i32.
Value ChooseToken::findNth(Value last, Value n) {
  Value logit = getLogit(b, last);
  // The most ids of which at most n are such candidates.
  Value found = findLast(constantLong(b, 0), constantLong(b, columns), [&](Value size) -> Value {
    Value below = arith::TruncIOp::create(b, b.getI32Type(), size);
    Value such = count([&](Value other, Value id) -> Value {
      Value isEqual = compareFloats(b, arith::CmpFPredicate::OEQ, other, logit);
      Value isBelow = compareInts(b, arith::CmpIPredicate::slt, id, below);
      return arith::AndIOp::create(b, isEqual, isBelow);
    });
    return compareInts(b, arith::CmpIPredicate::ule, such, n);
  });
  return arith::TruncIOp::create(b, b.getI32Type(), found);
}

Value ChooseToken::drawFromKept() {
  Value bound = findBound();
  collect(bound);
  Kept kept = keepTopP(keepTopK(bound));
  Value target = takeShare(b, kept.mass, random);
  Value last = findLast(kept.last, end, [&](Value order) {
    return compareInts(b, arith::CmpIPredicate::ugt, sumFrom(order, /*weigh=*/true), target);
  });
  Value rest = arith::SubIOp::create(b, target, sumAbove(last, /*weigh=*/true));
  Value weight = arith::MaxUIOp::create(b, getWeight(getLogit(b, last)), constantLong(b, 1));
  return findNth(last, arith::DivUIOp::create(b, rest, weight));
}

//===----------------------------------------------------------------------===//
// The choice
//===----------------------------------------------------------------------===//

void ChooseToken::emit() {
  loadRow();
  Value first = findLargestId();
  Value zero = constantLong(b, 0);
  Value draws = compareFloats(b, arith::CmpFPredicate::UNE, factor, constantFloat(b, 0));
  Value isThere =
      compareInts(b, arith::CmpIPredicate::sge, first, arith::ConstantIntOp::create(b, 0, 32));
  Value drops = compareInts(b, arith::CmpIPredicate::ne,
                            arith::OrIOp::create(b, topK, topP).getResult(), zero);
  Type type = b.getI32Type();
  auto draw = [&]() -> SmallVector<Value> {
    return select(
        b, drops, type, [&]() -> SmallVector<Value> { return {drawFromKept()}; },
        [&]() -> SmallVector<Value> { return {drawFromAll()}; });
  };
  Value id = select(b, arith::AndIOp::create(b, draws, isThere), type, draw,
                    [&]() -> SmallVector<Value> { return {first}; })[0];
  runOnce(b, team,
          [&] { memref::StoreOp::create(b, id, tile.getResult(0).data, ValueRange{row}); });
}
