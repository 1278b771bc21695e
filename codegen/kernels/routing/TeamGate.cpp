#include "codegen/kernels/routing/TeamGate.h"

#include "codegen/kernels/Approximate.h"
#include "codegen/kernels/Exchange.h"
#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::codegen;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

static constexpr int64_t kMostOwn = 16;

static int64_t countExperts(moe::GateOp op) {
  return moe::getShape(op.getLogits().getType()).back();
}

bool TeamGate::accepts(moe::GateOp op, const Machine &machine) {
  int64_t experts = countExperts(op), own = llvm::divideCeil(experts, machine.subgroup);
  int64_t columns = op.getTopK() + op.getShared();
  if (own > kMostOwn || columns > machine.subgroup)
    return false;
  int64_t size = experts / op.getGroups();
  return op.getGroups() == 1 || (size % own == 0 && llvm::isPowerOf2_64(size / own));
}

TeamGate::TeamGate(TileFunction &tile, moe::GateOp op, const Team &part)
    : b(tile.b), tile(tile), op(op), part(part), experts(countExperts(op)),
      own(llvm::divideCeil(experts, part.threads)) {
  lane = arith::IndexCastOp::create(b, b.getI32Type(), part.thread);
  first = arith::MulIOp::create(b, lane, number(own));
}

Value TeamGate::number(int64_t value) { return arith::ConstantIntOp::create(b, value, 32); }

Value TeamGate::compare(CmpIPredicate predicate, Value lhs, Value rhs) {
  return arith::CmpIOp::create(b, predicate, lhs, rhs);
}

Value TeamGate::select(Value condition, Value yes, Value no) {
  return arith::SelectOp::create(b, condition, yes, no);
}

TeamGate::Values TeamGate::load(const RowRef &row) {
  Values values;
  Value column = mulIndex(b, part.thread, own);
  if (experts == own * part.threads && llvm::isPowerOf2_64(own)) {
    int64_t width = std::min<int64_t>(own, 4);
    for (int64_t i = 0; i < own; i += width) {
      Value loaded = row.load(b, addIndex(b, column, i), width);
      for (int64_t j = 0; j < width; ++j)
        values.push_back(vector::ExtractOp::create(b, loaded, j));
    }
    return values;
  }
  Value last = constantIndex(b, experts - 1);
  for (int64_t i = 0; i < own; ++i) {
    Value at = arith::MinUIOp::create(b, addIndex(b, column, i), last);
    values.push_back(vector::ExtractOp::create(b, row.load(b, at, 1), 0));
  }
  return values;
}

TeamGate::Values TeamGate::score(Values logits) {
  Value one = constantFloat(b, 1);
  if (op.getScoring() == moe::Scoring::Sigmoid) {
    for (Value &value : logits) {
      Value decay = approximateExp(b, arith::NegFOp::create(b, value));
      value = approximateDivide(b, one, arith::AddFOp::create(b, one, decay));
    }
    return logits;
  }
  Value largest = logits.front();
  for (Value value : ArrayRef(logits).drop_front())
    largest = arith::MaximumFOp::create(b, largest, value);
  largest = reduceNeighbours(b, part, part.threads, largest, Reduction::Maximum);
  Value sum = constantFloat(b, 0);
  for (auto [i, value] : llvm::enumerate(logits)) {
    value = approximateExp(b, arith::SubFOp::create(b, value, largest));
    Value exists =
        compare(CmpIPredicate::ult, arith::AddIOp::create(b, first, number(i)), number(experts));
    sum = arith::AddFOp::create(b, sum, select(exists, value, constantFloat(b, 0)));
  }
  sum = reduceNeighbours(b, part, part.threads, sum, Reduction::Add);
  for (Value &value : logits)
    value = approximateDivide(b, value, sum);
  return logits;
}

TeamGate::Values TeamGate::addBias(const Values &scores) {
  if (!op.getBias())
    return scores;
  Values choices = load({tile.getArgument(op.getBias()).data, {}, {}, 0, experts});
  for (auto [choice, score] : llvm::zip_equal(choices, scores))
    choice = arith::AddFOp::create(b, score, choice);
  return choices;
}

Value TeamGate::makeKey(Value choice) {
  // Minus zero is as good as zero.
  Value bits = arith::BitcastOp::create(b, b.getI32Type(),
                                        arith::AddFOp::create(b, choice, constantFloat(b, 0)));
  Value sign = arith::ShRSIOp::create(b, bits, number(31));
  Value flip = arith::OrIOp::create(b, sign, number(std::numeric_limits<int32_t>::min()));
  Value isNumber = arith::CmpFOp::create(b, CmpFPredicate::ORD, choice, choice);
  return select(isNumber, arith::XOrIOp::create(b, bits, flip), number(1));
}

/// The best choice of the thread's group, or the sum of its two best.
Value TeamGate::scoreGroup(const Values &choices) {
  Value best = constantFloat(b, -std::numeric_limits<double>::infinity()), second = best;
  auto include = [&](Value value, Value next) {
    Value rest = arith::MinNumFOp::create(b, best, value);
    best = arith::MaxNumFOp::create(b, best, value);
    second = arith::MaxNumFOp::create(b, second, rest);
    if (next)
      second = arith::MaxNumFOp::create(b, second, next);
  };
  for (Value choice : choices)
    include(choice, {});
  int64_t neighbours = experts / op.getGroups() / own;
  for (int64_t by = 1; by < neighbours; by *= 2) {
    Value otherBest = readPartner(b, part, best, by);
    include(otherBest, readPartner(b, part, second, by));
  }
  if (op.getGroupScore() == moe::GroupScore::Top2Sum)
    return arith::AddFOp::create(b, best, second);
  return best;
}

void TeamGate::maskGroups(Values &choices) {
  int64_t groups = op.getGroups(), neighbours = experts / groups / own;
  Value key = makeKey(scoreGroup(choices));
  Value group = arith::DivUIOp::create(b, lane, number(neighbours));
  // How many groups come before the thread's.
  Value before = number(0);
  for (int64_t other = 0; other < groups; ++other) {
    Value otherKey = readThread(b, part, key, number(other * neighbours));
    Value isBetter = compare(CmpIPredicate::ugt, otherKey, key);
    Value isEqual = arith::AndIOp::create(b, compare(CmpIPredicate::eq, otherKey, key),
                                          compare(CmpIPredicate::ult, number(other), group));
    Value comes = arith::OrIOp::create(b, isBetter, isEqual);
    before = arith::AddIOp::create(b, before,
                                   arith::ExtUIOp::create(b, b.getI32Type(), comes).getResult());
  }
  Value isIn = compare(CmpIPredicate::ult, before, number(op.getTopGroups()));
  Value lowest = constantFloat(b, -std::numeric_limits<double>::infinity());
  for (Value &choice : choices)
    choice = select(isIn, choice, lowest);
}

void TeamGate::emit(const RowRef &logits, const RowRef &ids, const RowRef &weights) {
  Values scores = score(load(logits));
  Values choices = addBias(scores);
  if (op.getGroups() > 1)
    maskGroups(choices);

  Values keys, indices;
  for (auto [i, choice] : llvm::enumerate(choices)) {
    Value index = arith::AddIOp::create(b, first, number(i));
    Value exists = compare(CmpIPredicate::ult, index, number(experts));
    indices.push_back(index);
    keys.push_back(select(exists, makeKey(choice), number(0)));
  }

  // Thread n keeps the n-th choice.
  Value id = number(0), weight = constantFloat(b, 0), sum = weight;
  for (int64_t n = 0; n < int64_t(op.getTopK()); ++n) {
    Value best = keys.front();
    for (Value key : ArrayRef(keys).drop_front())
      best = arith::MaxUIOp::create(b, best, key);
    best = maximumOfPart(b, best);
    Value found = number(-1), score = scores.front();
    for (int64_t i = own - 1; i >= 0; --i) {
      Value is = compare(CmpIPredicate::eq, keys[i], best);
      found = select(is, indices[i], found);
      score = select(is, scores[i], score);
    }
    Value index = minimumOfPart(b, found);
    for (int64_t i = 0; i < own; ++i)
      keys[i] = select(compare(CmpIPredicate::eq, indices[i], index), number(0), keys[i]);
    score = readThread(b, part, score, arith::DivUIOp::create(b, index, number(own)));
    sum = arith::AddFOp::create(b, sum, score);
    Value isOwn = compare(CmpIPredicate::eq, lane, number(n));
    id = select(isOwn, index, id);
    weight = select(isOwn, score, weight);
  }
  store(ids, weights, id, weight, sum);
}

void TeamGate::store(const RowRef &ids, const RowRef &weights, Value id, Value weight, Value sum) {
  if (op.getNormalize()) {
    Value divisor =
        arith::AddFOp::create(b, sum, constantFloat(b, op.getEpsilon().convertToDouble()));
    weight = approximateDivide(b, weight, divisor);
  }
  weight = arith::MulFOp::create(b, weight, constantFloat(b, op.getScale().convertToDouble()));
  int64_t topK = op.getTopK(), columns = topK + op.getShared();
  if (columns > topK) {
    Value isChosen = compare(CmpIPredicate::ult, lane, number(topK));
    id = select(isChosen, id, arith::AddIOp::create(b, lane, number(experts - topK)));
    weight = select(isChosen, weight, constantFloat(b, 1));
  }
  ifThen(b, compare(CmpIPredicate::ult, lane, number(columns)), [&] {
    SmallVector<Value> at = {ids.row, part.thread};
    memref::StoreOp::create(b, id, ids.data, at);
    storeFloat(b, weight, weights.data, {weights.row, part.thread});
  });
}
