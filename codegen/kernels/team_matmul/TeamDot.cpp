#include "codegen/kernels/team_matmul/TeamDot.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

/// Columns that a thread reads at once: 16 bytes of bf16.
static constexpr int64_t kLanes = 8;

SmallVector<Value> moec::codegen::foldColumns(
    ImplicitLocOpBuilder &b, int64_t columns, const Team &team, ArrayRef<Value> init,
    llvm::function_ref<SmallVector<Value>(Value, int64_t, ValueRange)> body) {
  int64_t lanes = team.lanes, whole = columns / lanes * lanes;
  Value first = team.isOne() ? constantIndex(b, 0) : mulIndex(b, team.thread, lanes);
  SmallVector<Value> carried(init);
  if (whole)
    carried = forRange(b, first, constantIndex(b, whole), lanes * team.threads, carried,
                       [&](Value offset, ValueRange now) { return body(offset, lanes, now); });
  int64_t offset = whole, taker = 0;
  for (int64_t width = lanes / 2; width >= 1; width /= 2) {
    if (columns - offset < width)
      continue;
    Value at = constantIndex(b, offset);
    offset += width;
    if (team.isOne()) {
      carried = body(at, width, carried);
      continue;
    }
    Value mine = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, team.thread,
                                       constantIndex(b, taker++ % team.threads));
    SmallVector<Type> types(ValueRange(carried).getTypes());
    auto branch = scf::IfOp::create(b, types, mine, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, body(at, width, carried));
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, carried);
    carried.assign(branch.getResults().begin(), branch.getResults().end());
  }
  return carried;
}

Value moec::codegen::dot(ImplicitLocOpBuilder &b, Value lhs, Value rhs, Value sum) {
  for (int64_t i = 0; i < cast<VectorType>(lhs.getType()).getDimSize(0); ++i)
    sum = math::FmaOp::create(b, vector::ExtractOp::create(b, lhs, i),
                              vector::ExtractOp::create(b, rhs, i), sum);
  return sum;
}

TeamDot::TeamDot(TileFunction &tile, Operand x, Operand weight, int64_t tokens, int64_t columns)
    : tile(tile), b(tile.b), x(x), weight(weight),
      sums(tile.allocate(
          {int64_t(llvm::alignTo(tokens, kTokens)), int64_t(llvm::alignTo(columns, kRows))},
          b.getF32Type())) {}

Value TeamDot::getWeightRow(ImplicitLocOpBuilder &b, const Range &range, Value column) {
  if (range.weightSource)
    return range.weightSource(column);
  return arith::AddIOp::create(b, range.weightRow, column);
}

void TeamDot::emit(const Range &range) {
  Operand selected = range.expert ? weight.select(range.expert) : weight;
  Value zero = constantIndex(b, 0);
  Value groups =
      arith::DivUIOp::create(b, addIndex(b, range.numRows, kRows - 1), constantIndex(b, kRows));
  forItems(b, tile.getTeam(), zero, groups, [&](Value group, const Team &part) {
    Team wide = part;
    wide.lanes = kLanes;
    forRange(b, zero, range.numTokens, kTokens, [&](Value token) {
      emitGroup(range, selected, mulIndex(b, group, kRows), token, wide);
    });
  });
}

void TeamDot::emitGroup(const Range &range, const Operand &weight, Value row, Value token,
                        const Team &part) {
  // The last row and the last token stand in for those behind them.
  SmallVector<Value> rows, sources;
  Value lastRow = addIndex(b, range.numRows, -1), lastToken = addIndex(b, range.numTokens, -1);
  for (int64_t r = 0; r < kRows; ++r) {
    Value local = arith::MinUIOp::create(b, addIndex(b, row, r), lastRow);
    rows.push_back(getWeightRow(b, range, local));
  }
  for (int64_t t = 0; t < kTokens; ++t)
    sources.push_back(range.source(arith::MinUIOp::create(b, addIndex(b, token, t), lastToken)));

  auto step = [&](Value column, int64_t width, ValueRange carried) {
    Value xColumn = arith::AddIOp::create(b, range.xColumn, column);
    SmallVector<Value> weights, weightScales, activations, scales, next(carried);
    for (Value r : rows) {
      weights.push_back(weight.load(b, r, column, width));
      weightScales.push_back(weight.loadScale(b, r, column));
    }
    for (Value source : sources) {
      activations.push_back(x.load(b, source, xColumn, width));
      scales.push_back(x.loadScale(b, source, xColumn));
    }
    for (int64_t r = 0; r < kRows; ++r)
      for (int64_t t = 0; t < kTokens; ++t) {
        Value &sum = next[r * kTokens + t];
        Value scale = multiplyScales(b, weightScales[r], scales[t]);
        if (!scale)
          sum = dot(b, weights[r], activations[t], sum);
        else
          sum = math::FmaOp::create(b, dot(b, weights[r], activations[t], constantFloat(b, 0)),
                                    scale, sum);
      }
    return next;
  };
  SmallVector<Value> init(kRows * kTokens, constantFloat(b, 0));
  SmallVector<Value> totals = foldColumns(b, weight.getColumns(), part, init, step);
  for (Value &total : totals)
    total = reduceTeam(b, part, total, Reduction::Add);
  runOnce(b, part, [&] {
    for (int64_t r = 0; r < kRows; ++r)
      for (int64_t t = 0; t < kTokens; ++t)
        storeFloat(b, totals[r * kTokens + t], sums,
                   {addIndex(b, token, t), addIndex(b, row, r + range.sumsColumn)});
  });
}
