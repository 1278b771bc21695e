// Each row-wise op on a thread's own columns.
#include "codegen/kernels/rows/RegisterProgram.h"

#include "codegen/kernels/Approximate.h"
#include "codegen/kernels/Exchange.h"
#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

static int64_t getColumns(Value value) { return moe::getShape(value.getType()).back(); }

static bool isInMemory(Value value) {
  return !value.getDefiningOp() || value.getDefiningOp<moe::SliceOp>();
}

static int64_t getBlock(Value quantized, int64_t columns) {
  int64_t block = cast<moe::QTensorType>(quantized.getType()).getScheme().getBlock()[1];
  return block ? block : columns;
}

static Value sum(ImplicitLocOpBuilder &b, Value vector) {
  return vector::ReductionOp::create(b, vector::CombiningKind::ADD, vector,
                                     arith::FastMathFlags::reassoc);
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

void RegisterProgram::prepare(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case<moe::AddOp, moe::SwigluOp>([&](auto same) {
        for (Value operand : same->getOperands())
          prepareRow(operand);
      })
      .Case([&](moe::QuantizeOp quantize) { prepareRow(quantize.getX()); })
      .Case([&](moe::RmsNormOp norm) { prepareNorm(norm); })
      .Case([&](moe::DequantizeOp dequantize) { prepareDequantize(dequantize); })
      .Case([&](moe::EmbeddingOp embedding) {
        Buffer table = tile.getArgument(embedding.getTable());
        int64_t columns = getColumns(embedding.getResult());
        operands[op] = {
            load({table.data, {}, loadScalar(embedding.getIds()), 0, columns}, columns)};
      })
      .Case([&](moe::GatherRowsOp gather) {
        Buffer from = tile.getArgument(gather.getX());
        int64_t columns = getColumns(gather.getResult());
        operands[op] = {load({from.data, {}, loadScalar(gather.getRows()), 0, columns}, columns)};
      })
      .Case([&](moe::CombineOp combine) { prepareCombine(combine); })
      .Case([&](moe::RopeOp rope) { prepareRope(rope); })
      .Case([&](moe::ConcatOp concat) {
        for (Value part : concat.getParts())
          prepareRow(part);
      })
      .Case([&](moe::CacheAppendOp append) {
        locateInCache(append);
        prepareRow(append.getRows());
      });
}

void RegisterProgram::prepareRow(Value value) {
  if (isInMemory(value))
    get(value);
}

void RegisterProgram::prepareNorm(moe::RmsNormOp op) {
  prepareRow(op.getX());
  int64_t columns = getColumns(op.getX()), head = columns / op.getHeads();
  RowRef weight{tile.getArgument(op.getWeight()).data, {}, {}, 0, head};
  operands[op] = {forSteps(columns, layout.lanes, [&](const Step &step) {
    Value column = op.getHeads() == 1 ? step.column : remainder(step.column, head);
    return weight.load(b, column, layout.lanes);
  })};
}

void RegisterProgram::prepareDequantize(moe::DequantizeOp op) {
  RowRef x = locate(op.getX());
  int64_t block = getBlock(op.getX(), x.columns);
  operands[op] = {forSteps(x.columns, layout.lanes, [&](const Step &step) -> Value {
    Value scale = splat(b, x.loadScale(b, divide(step.column, block)), layout.lanes);
    return arith::MulFOp::create(b, x.load(b, step.column, layout.lanes), scale);
  })};
}

/// A slot and a weight for each choice.
void RegisterProgram::prepareCombine(moe::CombineOp op) {
  Row slots, weights;
  Buffer slotBuffer = tile.getArgument(op.getSlots()),
         weightBuffer = tile.getArgument(op.getWeights());
  for (int64_t choice = 0; choice < getColumns(op.getWeights()); ++choice) {
    SmallVector<Value> at = {row, constantIndex(b, choice)};
    slots.push_back(loadIndex(b, slotBuffer.data, at));
    weights.push_back(loadFloat(b, weightBuffer.data, at));
  }
  operands[op] = {std::move(slots), std::move(weights)};
}

RegisterProgram::Rotated RegisterProgram::findRotated(moe::RopeOp op, Value column) {
  int64_t head = getColumns(op.getX()) / op.getHeads(), skip = head - op.getRope().getDim();
  Value inHead = op.getHeads() > 1 ? remainder(column, head) : column;
  if (!skip)
    return {inHead, {}};
  Value begin = constantIndex(b, skip);
  Value is = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, inHead, begin);
  // Others take the first place of the table, and nothing of it.
  Value from = arith::SelectOp::create(b, is, inHead, begin);
  return {arith::SubIOp::create(b, from, begin), is};
}

void RegisterProgram::prepareRope(moe::RopeOp op) {
  prepareRow(op.getX());
  int64_t columns = getColumns(op.getX()), half = op.getRope().getDim() / 2;
  bool interleaved = op.getRope().getLayout() == moe::RopeLayout::Interleaved;
  int64_t width = interleaved ? layout.lanes / 2 : layout.lanes;
  RowRef table{
      tile.getArgument(op.getTable()).data, {}, loadScalar(op.getPositions()), 0, 2 * half};
  auto loadTable = [&](int64_t begin) {
    return forSteps(columns, width, [&](const Step &step) {
      Value column = findRotated(op, step.column).column;
      Value pair = interleaved ? divide(column, 2) : remainder(column, half);
      return table.load(b, addIndex(b, pair, begin), width);
    });
  };
  operands[op] = {loadTable(0), loadTable(half)};
  if (interleaved || !isInMemory(op.getX()))
    return;
  RowRef x = locate(op.getX());
  operands[op].push_back(forSteps(columns, width, [&](const Step &step) {
    Value column = findRotated(op, step.column).column;
    Value isFirst =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, column, constantIndex(b, half));
    // A first half's partner lies behind it; those that are not rotated have room for one, too.
    Value behind = addIndex(b, step.column, half);
    Value before = arith::SubIOp::create(b, step.column, constantIndex(b, half));
    return x.load(b, arith::SelectOp::create(b, isFirst, behind, before), width);
  }));
}

//===----------------------------------------------------------------------===//
// Computing
//===----------------------------------------------------------------------===//

void RegisterProgram::compute(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](moe::AddOp add) {
        Row values;
        for (auto [lhs, rhs] : llvm::zip_equal(Row(get(add.getLhs())), Row(get(add.getRhs()))))
          values.push_back(arith::AddFOp::create(b, lhs, rhs));
        set(add.getResult(), std::move(values));
      })
      .Case([&](moe::SwigluOp swiglu) {
        Row values;
        bool isRounded = !getElementTypeOrSelf(swiglu.getType()).isF32();
        for (auto [gate, up] :
             llvm::zip_equal(Row(get(swiglu.getGate())), Row(get(swiglu.getUp()))))
          values.push_back(arith::MulFOp::create(b, approximateSilu(b, gate, isRounded), up));
        set(swiglu.getResult(), std::move(values));
      })
      .Case<moe::DequantizeOp, moe::EmbeddingOp, moe::GatherRowsOp>(
          [&](auto read) { set(read.getResult(), operands[op].front()); })
      .Case([&](moe::RmsNormOp norm) { computeNorm(norm); })
      .Case([&](moe::QuantizeOp quantize) { computeQuantize(quantize); })
      .Case([&](moe::CombineOp combine) { computeCombine(combine); })
      .Case([&](moe::RopeOp rope) { computeRope(rope); })
      .Case([&](moe::ConcatOp concat) { storeArguments(concat.getParts()); })
      .Case([&](moe::CacheAppendOp append) { storeArguments(append.getRows()); });
}

/// What the program computes has been stored already.
void RegisterProgram::storeArguments(ValueRange values) {
  for (auto [i, value] : llvm::enumerate(values))
    if (isInMemory(value) && !llvm::is_contained(values.take_front(i), value))
      store(value, get(value));
}

Value RegisterProgram::getNormFactor(Value squares, moe::RmsNormOp op) {
  int64_t columns = getColumns(op.getX()) / int64_t(op.getHeads());
  Value mean = arith::MulFOp::create(b, squares, constantFloat(b, 1 / double(columns)));
  Value epsilon = constantFloat(b, op.getEpsilon().convertToDouble());
  return approximateInverseSqrt(b, arith::AddFOp::create(b, mean, epsilon));
}

void RegisterProgram::computeNorm(moe::RmsNormOp op) {
  Row x = get(op.getX());
  Row factors;
  if (op.getHeads() == 1) {
    Value squares;
    for (Value values : x)
      squares = squares ? math::FmaOp::create(b, values, values, squares).getResult()
                        : arith::MulFOp::create(b, values, values).getResult();
    Value total = reduceOnce(b, team, sum(b, squares), Reduction::Add, scratches.lookup(op));
    factors.assign(x.size(), getNormFactor(total, op));
  } else {
    int64_t neighbours = getColumns(op.getX()) / op.getHeads() / layout.lanes;
    for (Value values : x) {
      Value squares = sum(b, arith::MulFOp::create(b, values, values));
      Value total = reduceNeighbours(b, team, neighbours, squares, Reduction::Add);
      factors.push_back(getNormFactor(total, op));
    }
  }
  Row values;
  for (auto [own, factor, weight] : llvm::zip_equal(x, factors, operands[op].front())) {
    Value scaled = arith::MulFOp::create(b, own, splat(b, factor, layout.lanes));
    values.push_back(arith::MulFOp::create(b, scaled, weight));
  }
  set(op.getResult(), std::move(values));
}

void RegisterProgram::computeQuantize(moe::QuantizeOp op) {
  Row x = get(op.getX());
  int64_t columns = getColumns(op.getX()), block = getBlock(op.getResult(), columns);
  int64_t neighbours = block / layout.lanes;
  Value inBlock = remainder(team.thread, neighbours);
  Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, inBlock, constantIndex(b, 0));
  for (unsigned index : tile.getResultsOf(op.getResult())) {
    Buffer buffer = tile.getResult(index);
    RowRef result{buffer.data, buffer.scales, row, 0, columns};
    Row codes, scales;
    for (Value values : x) {
      Value largest = vector::ReductionOp::create(b, vector::CombiningKind::MAXIMUMF,
                                                  math::AbsFOp::create(b, values),
                                                  arith::FastMathFlags::reassoc);
      largest = reduceNeighbours(b, team, neighbours, largest, Reduction::Maximum);
      largest = arith::MaximumFOp::create(b, largest, constantFloat(b, 1e-4));
      Value scale = divideExactly(b, largest, constantFloat(b, 448), constantFloat(b, 1.0f / 448));
      scale = result.roundScale(b, scale);
      Value inverse = invertExactly(b, scale);
      codes.push_back(
          divideExactly(b, values, splat(b, scale, layout.lanes), splat(b, inverse, layout.lanes)));
      scales.push_back(scale);
    }
    forActive(columns, [&](const Step &step, size_t i) {
      result.store(b, step.column, codes[i]);
      ifThen(b, isFirst, [&] { result.storeScale(b, divide(step.column, block), scales[i]); });
    });
  }
}

void RegisterProgram::computeCombine(moe::CombineOp op) {
  const Row &slots = operands[op][0], &weights = operands[op][1];
  Buffer y = tile.getArgument(op.getY());
  int64_t columns = getColumns(op.getResult());
  set(op.getResult(), forSteps(columns, layout.lanes, [&](const Step &step) {
        Value total = constantFloat(b, 0, layout.lanes);
        for (auto [slot, weight] : llvm::zip_equal(slots, weights)) {
          RowRef expert{y.data, {}, slot, 0, columns};
          total = math::FmaOp::create(b, splat(b, weight, layout.lanes),
                                      expert.load(b, step.column, layout.lanes), total);
        }
        return total;
      }));
}

//===----------------------------------------------------------------------===//
// Rotation
//===----------------------------------------------------------------------===//

void RegisterProgram::computeRope(moe::RopeOp op) {
  bool interleaved = op.getRope().getLayout() == moe::RopeLayout::Interleaved;
  set(op.getResult(), keepOthers(op, interleaved ? rotatePairs(op) : rotateHalves(op)));
}

/// A thread has both of each pair.
RegisterProgram::Row RegisterProgram::rotatePairs(moe::RopeOp op) {
  Row values;
  for (auto [x, cosine, sine] :
       llvm::zip_equal(Row(get(op.getX())), operands[op][0], operands[op][1])) {
    auto parts = vector::DeinterleaveOp::create(b, x);
    Value even = parts.getRes1(), odd = parts.getRes2();
    Value first = math::FmaOp::create(b, odd, arith::NegFOp::create(b, sine),
                                      arith::MulFOp::create(b, even, cosine));
    Value second = math::FmaOp::create(b, even, sine, arith::MulFOp::create(b, odd, cosine));
    values.push_back(vector::InterleaveOp::create(b, first, second));
  }
  return values;
}

/// A thread has one of each pair; the other is its partner's.
RegisterProgram::Row RegisterProgram::rotateHalves(moe::RopeOp op) {
  Row x = get(op.getX());
  int64_t columns = getColumns(op.getX()), half = op.getRope().getDim() / 2;
  Row partners = isInMemory(op.getX()) ? operands[op][2] : readPartners(x, half);
  Row values;
  for (auto [i, step] : llvm::enumerate(getSteps(columns))) {
    Value sine = operands[op][1][i], column = findRotated(op, step.column).column;
    Value isFirst =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, column, constantIndex(b, half));
    sine = arith::SelectOp::create(b, isFirst, arith::NegFOp::create(b, sine).getResult(), sine);
    Value product = arith::MulFOp::create(b, x[i], operands[op][0][i]);
    values.push_back(math::FmaOp::create(b, partners[i], sine, product));
  }
  return values;
}

/// The row of the threads that have the columns `columns` away.
RegisterProgram::Row RegisterProgram::readPartners(const Row &row, int64_t columns) {
  Row partners;
  for (Value values : row) {
    SmallVector<Value> elements;
    for (int64_t lane = 0; lane < layout.lanes; ++lane)
      elements.push_back(
          readPartner(b, team, vector::ExtractOp::create(b, values, lane), columns / layout.lanes));
    partners.push_back(vector::FromElementsOp::create(b, values.getType(), elements));
  }
  return partners;
}

/// `rotated`, and x where a head is not rotated.
RegisterProgram::Row RegisterProgram::keepOthers(moe::RopeOp op, Row rotated) {
  Row x = get(op.getX());
  for (auto [i, step] : llvm::enumerate(getSteps(getColumns(op.getX()))))
    if (Value is = findRotated(op, step.column).is)
      rotated[i] = arith::SelectOp::create(b, is, rotated[i], x[i]);
  return rotated;
}
