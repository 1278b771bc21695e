// Scores are vectors over the experts; selection is a scalar scan for each
// choice, which for 256 experts and 8 choices costs about a microsecond.
#include "codegen/kernels/routing/Gate.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

GateEmitter::GateEmitter(TileFunction &tile, moe::GateOp op)
    : tile(tile), b(tile.b), op(op), experts(moe::getShape(op.getLogits().getType()).back()),
      groups(op.getGroups()), team(tile.getTeam()) {
  scores = tile.allocate({experts}, b.getF32Type());
  choices = tile.allocate({experts}, b.getF32Type());
  taken = tile.allocate({experts}, b.getI8Type());
  groupScores = tile.allocate({groups}, b.getF32Type());
  takenGroups = tile.allocate({groups}, b.getI8Type());
}

/// Stores `value` into all `size` elements.
static void fillBytes(ImplicitLocOpBuilder &b, const Team &team, Value memref, int64_t size,
                      int64_t value) {
  Value constant = arith::ConstantIntOp::create(b, value, 8);
  forScalars(b, team, constantIndex(b, 0), constantIndex(b, size),
             [&](Value i) { memref::StoreOp::create(b, constant, memref, i); });
}

void GateEmitter::emitScores(const RowRef &logits) {
  RowRef result{scores, {}, {}, 0, experts};
  auto exponential = [&](Value values) -> Value { return math::ExpOp::create(b, values); };
  if (op.getScoring() == moe::Scoring::Sigmoid) {
    forColumns(b, experts, team, [&](Value column, int64_t width) {
      Value decay = exponential(arith::NegFOp::create(b, logits.load(b, column, width)));
      Value one = constantFloat(b, 1, width);
      Value divisor = arith::AddFOp::create(b, one, decay);
      result.store(b, column, arith::DivFOp::create(b, one, divisor));
    });
    return;
  }
  Value largest =
      reduceColumns(b, experts, team, Reduction::Maximum, -std::numeric_limits<double>::infinity(),
                    [&](Value column, int64_t width) { return logits.load(b, column, width); });
  Value sum = reduceColumns(b, experts, team, Reduction::Add, 0, [&](Value column, int64_t width) {
    Value shifted =
        arith::SubFOp::create(b, logits.load(b, column, width), splat(b, largest, width));
    Value values = exponential(shifted);
    result.store(b, column, values);
    return values;
  });
  forColumns(b, experts, team, [&](Value column, int64_t width) {
    Value values = result.load(b, column, width);
    result.store(b, column, arith::DivFOp::create(b, values, splat(b, sum, width)));
  });
}

void GateEmitter::emitChoices() {
  RowRef from{scores, {}, {}, 0, experts}, to{choices, {}, {}, 0, experts};
  Value biases = op.getBias() ? tile.getArgument(op.getBias()).data : Value();
  forColumns(b, experts, team, [&](Value column, int64_t width) {
    Value values = from.load(b, column, width);
    if (biases)
      values = arith::AddFOp::create(b, values, loadFloats(b, biases, column, width));
    to.store(b, column, values);
  });
}

Value GateEmitter::findBest(Value values, Value taken, int64_t size) {
  Value none = constantIndex(b, -1), begin = constantIndex(b, 0);
  auto compare = [&](Value i, ValueRange best) -> SmallVector<Value> {
    Value value = memref::LoadOp::create(b, values, i);
    Value isFree =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, memref::LoadOp::create(b, taken, i),
                              arith::ConstantIntOp::create(b, 0, 8));
    // NaN is never larger, so an index in range is chosen whatever the values.
    Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, best[1], none);
    Value isLarger = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, value, best[0]);
    Value better = arith::AndIOp::create(b, isFree, arith::OrIOp::create(b, isFirst, isLarger));
    return {arith::SelectOp::create(b, better, value, best[0]),
            arith::SelectOp::create(b, better, i, best[1])};
  };
  if (!team.isOne())
    begin = team.thread;
  auto best = forRange(b, begin, constantIndex(b, size), team.threads, {constantFloat(b, 0), none},
                       compare);
  if (team.isOne())
    return best[1];
  Value index = arith::IndexCastOp::create(b, b.getI32Type(), best[1]);
  return arith::IndexCastOp::create(b, b.getIndexType(),
                                    findLargest(b, team, best[0], index).second);
}

void GateEmitter::selectLargest(Value values, Value taken, int64_t size, int64_t count,
                                llvm::function_ref<void(Value, Value)> body) {
  fillBytes(b, team, taken, size, 0);
  barrier(b, team);
  forRange(b, constantIndex(b, 0), constantIndex(b, count), 1, [&](Value n) {
    Value index = findBest(values, taken, size);
    runOnce(b, team, [&] {
      memref::StoreOp::create(b, arith::ConstantIntOp::create(b, 1, 8), taken, index);
      body(n, index);
    });
    barrier(b, team);
  });
}

void GateEmitter::maskGroups() {
  int64_t size = experts / groups;
  double lowest = -std::numeric_limits<double>::infinity();
  Value zero = constantIndex(b, 0);
  bool two = op.getGroupScore() == moe::GroupScore::Top2Sum;
  forScalars(b, team, zero, constantIndex(b, groups), [&](Value group) {
    Value first = mulIndex(b, group, size);
    auto step = [&](Value i, ValueRange best) -> SmallVector<Value> {
      Value value = memref::LoadOp::create(b, choices, addIndex(b, first, i));
      Value isBest = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, value, best[0]);
      Value isSecond = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, value, best[1]);
      Value second = arith::SelectOp::create(b, isSecond, value, best[1]);
      return {arith::SelectOp::create(b, isBest, value, best[0]),
              arith::SelectOp::create(b, isBest, best[0], second)};
    };
    auto best = forRange(b, zero, constantIndex(b, size), 1,
                         {constantFloat(b, lowest), constantFloat(b, lowest)}, step);
    Value score = best[0];
    if (two)
      score = arith::AddFOp::create(b, best[0], best[1]);
    memref::StoreOp::create(b, score, groupScores, group);
  });
  barrier(b, team);

  // The best groups end up taken; the others' choices become -infinity.
  selectLargest(groupScores, takenGroups, groups, op.getTopGroups(), [](Value, Value) {});
  forItems(b, team, zero, constantIndex(b, groups), [&](Value group, const Team &part) {
    Value isOut = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                        memref::LoadOp::create(b, takenGroups, group),
                                        arith::ConstantIntOp::create(b, 0, 8));
    ifThen(b, isOut, [&] {
      Value first = mulIndex(b, group, size);
      forColumns(b, size, part, [&](Value column, int64_t width) {
        storeFloats(b, constantFloat(b, lowest, width), choices, addIndex(b, first, column));
      });
    });
  });
}

void GateEmitter::emit(const RowRef &logits, const RowRef &ids, const RowRef &weights) {
  emitScores(logits);
  barrier(b, team);
  emitChoices();
  barrier(b, team);
  if (groups > 1) {
    maskGroups();
    barrier(b, team);
  }

  auto at = [&](const RowRef &ref, Value column) -> SmallVector<Value, 2> {
    return ref.row ? SmallVector<Value, 2>{ref.row, column} : SmallVector<Value, 2>{column};
  };
  selectLargest(choices, taken, experts, op.getTopK(), [&](Value n, Value expert) {
    Value id = arith::IndexCastOp::create(b, b.getI32Type(), expert);
    memref::StoreOp::create(b, id, ids.data, at(ids, n));
    storeFloat(b, memref::LoadOp::create(b, scores, expert), weights.data, at(weights, n));
  });

  int64_t topK = op.getTopK();
  runOnce(b, team, [&] {
    for (int64_t shared = 0; shared < int64_t(op.getShared()); ++shared) {
      Value column = constantIndex(b, topK + shared);
      Value id = arith::ConstantIntOp::create(b, experts + shared, 32);
      memref::StoreOp::create(b, id, ids.data, at(ids, column));
      storeFloat(b, constantFloat(b, 1), weights.data, at(weights, column));
    }
  });
  Value factor = constantFloat(b, op.getScale().convertToDouble());
  if (!op.getNormalize()) {
    forColumns(b, topK, team, [&](Value n, int64_t width) {
      Value scaled = arith::MulFOp::create(b, weights.load(b, n, width), splat(b, factor, width));
      weights.store(b, n, scaled);
    });
    return;
  }
  Value sum = reduceColumns(b, topK, team, Reduction::Add, 0,
                            [&](Value n, int64_t width) { return weights.load(b, n, width); });
  sum = arith::AddFOp::create(b, sum, constantFloat(b, op.getEpsilon().convertToDouble()));
  forColumns(b, topK, team, [&](Value n, int64_t width) {
    Value share = arith::DivFOp::create(b, weights.load(b, n, width), splat(b, sum, width));
    weights.store(b, n, arith::MulFOp::create(b, share, splat(b, factor, width)));
  });
}
