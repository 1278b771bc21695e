// Each row-wise op as loops over the columns of one row.
#include "codegen/kernels/rows/RowProgram.h"

#include "codegen/kernels/QuantizedRows.h"
#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/rows/RowParts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

LogicalResult RowProgram::emitOp(Operation *op) {
  b.setLoc(op->getLoc());
  if (std::optional<std::string> reason = refuse(op))
    return op->emitOpError() << *reason;
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](moe::AddOp add) { return emitAdd(add), success(); })
      .Case([&](moe::SwigluOp swiglu) { return emitSwiglu(swiglu), success(); })
      .Case([&](moe::RmsNormOp norm) { return emitRmsNorm(norm), success(); })
      .Case([&](moe::SliceOp) { return success(); })
      .Case([&](moe::ConcatOp concat) { return emitConcat(concat), success(); })
      .Case([&](moe::QuantizeOp quantize) { return emitQuantize(quantize), success(); })
      .Case([&](moe::DequantizeOp dequantize) { return emitDequantize(dequantize), success(); })
      .Case([&](moe::EmbeddingOp embedding) { return emitEmbedding(embedding), success(); })
      .Case([&](moe::GatherRowsOp gather) { return emitGatherRows(gather), success(); })
      .Case([&](moe::CombineOp combine) { return emitCombine(combine), success(); })
      .Case([&](moe::GateOp gate) { return emitGate(gate), success(); })
      .Case([&](moe::RopeOp rope) { return emitRope(rope); })
      .Case([&](moe::CacheAppendOp append) { return emitCacheAppend(append), success(); });
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

void RowProgram::copy(const RowRef &from, const RowRef &to) {
  forColumns(b, from.columns, team, [&](Value column, int64_t width) {
    to.store(b, column, from.load(b, column, width));
  });
  if (from.scales) {
    int64_t blocks = cast<MemRefType>(from.scales.getType()).getShape().back();
    forScalars(b, team, constantIndex(b, 0), constantIndex(b, blocks),
               [&](Value block) { to.storeScale(b, block, from.loadScale(b, block)); });
  }
}

void RowProgram::emitAdd(moe::AddOp op) {
  RowRef lhs = get(op.getLhs()), rhs = get(op.getRhs()), result = getDestination(op);
  forColumns(b, result.columns, team, [&](Value column, int64_t width) {
    Value left = lhs.load(b, column, width), right = rhs.load(b, column, width);
    result.store(b, column, arith::AddFOp::create(b, left, right));
  });
}

void RowProgram::emitSwiglu(moe::SwigluOp op) {
  RowRef gate = get(op.getGate()), up = get(op.getUp()), result = getDestination(op);
  swigluRow(b, team, gate, up, result, op);
}

void RowProgram::emitConcat(moe::ConcatOp op) {
  RowRef result = getDestination(op);
  for (Value part : op.getParts()) {
    RowRef from = get(part);
    copy(from, result);
    result.offset += from.columns;
  }
}

//===----------------------------------------------------------------------===//
// Reductions over the row
//===----------------------------------------------------------------------===//

/// Calls `body(start, part)` for the columns of each head. One head is for the whole team.
void RowProgram::forHeads(int64_t heads, int64_t columns,
                          llvm::function_ref<void(Value, const Team &)> body) {
  Value zero = constantIndex(b, 0);
  if (team.isOne())
    forRange(b, zero, constantIndex(b, heads * columns), columns,
             [&](Value start) { body(start, team); });
  else if (heads == 1)
    body(zero, team);
  else
    forItems(b, team, zero, constantIndex(b, heads),
             [&](Value head, const Team &part) { body(mulIndex(b, head, columns), part); });
}

void RowProgram::emitRmsNorm(moe::RmsNormOp op) {
  RowRef x = get(op.getX()), result = getDestination(op);
  int64_t heads = op.getHeads(), columns = x.columns / heads;
  RowRef weight{tile.getArgument(op.getWeight()).data, {}, {}, 0, columns};
  double epsilon = op.getEpsilon().convertToDouble();
  auto emitHead = [&](Value start, const Team &part) {
    x.start = result.start = start;
    Value squares =
        reduceColumns(b, columns, part, Reduction::Add, 0, [&](Value column, int64_t width) {
          Value values = x.load(b, column, width);
          return arith::MulFOp::create(b, values, values).getResult();
        });
    Value mean = arith::DivFOp::create(b, squares, constantFloat(b, columns));
    Value shifted = arith::AddFOp::create(b, mean, constantFloat(b, epsilon));
    Value factor = arith::DivFOp::create(b, constantFloat(b, 1), math::SqrtOp::create(b, shifted));
    forColumns(b, columns, part, [&](Value column, int64_t width) {
      Value scaled = arith::MulFOp::create(b, x.load(b, column, width), splat(b, factor, width));
      result.store(b, column, arith::MulFOp::create(b, scaled, weight.load(b, column, width)));
    });
  };
  forHeads(heads, columns, emitHead);
}

void RowProgram::emitQuantize(moe::QuantizeOp op) {
  int64_t block = cast<moe::QTensorType>(op.getType()).getScheme().getBlock()[1];
  quantizeRow(b, team, get(op.getX()), getDestination(op), block);
}

void RowProgram::emitDequantize(moe::DequantizeOp op) {
  RowRef x = get(op.getX()), result = getDestination(op);
  int64_t block = cast<moe::QTensorType>(op.getX().getType()).getScheme().getBlock()[1];
  auto emitBlock = [&](Value index, Value first, int64_t size, const Team &part) {
    Value scale = x.loadScale(b, index);
    forColumns(b, size, part, [&](Value column, int64_t width) {
      Value at = addIndex(b, first, column);
      result.store(b, at, arith::MulFOp::create(b, x.load(b, at, width), splat(b, scale, width)));
    });
  };
  forScaleBlocks(b, team, x.columns, block, emitBlock);
}

//===----------------------------------------------------------------------===//
// Rows from elsewhere
//===----------------------------------------------------------------------===//

void RowProgram::emitEmbedding(moe::EmbeddingOp op) {
  RowRef result = getDestination(op);
  Value id = loadIndex(b, tile.getArgument(op.getIds()).data, row);
  copy(getRowOf(tile.getArgument(op.getTable()), op.getTable().getType(), id), result);
}

void RowProgram::emitGatherRows(moe::GatherRowsOp op) {
  RowRef result = getDestination(op);
  Value source = loadIndex(b, tile.getArgument(op.getRows()).data, row);
  copy(getRowOf(tile.getArgument(op.getX()), op.getX().getType(), source), result);
}

void RowProgram::emitCombine(moe::CombineOp op) {
  RowRef weights = get(op.getWeights()), result = getDestination(op);
  Buffer slots = tile.getArgument(op.getSlots()), y = tile.getArgument(op.getY());
  Value zero = constantIndex(b, 0), choices = constantIndex(b, weights.columns);
  forColumns(b, result.columns, team, [&](Value column, int64_t width) {
    auto step = [&](Value choice, ValueRange carried) -> SmallVector<Value> {
      Value slot = loadIndex(b, slots.data, {row, choice});
      Value weight = splat(b, vector::ExtractOp::create(b, weights.load(b, choice, 1), 0), width);
      Value expert = getRowOf(y, op.getY().getType(), slot).load(b, column, width);
      return {math::FmaOp::create(b, weight, expert, carried[0])};
    };
    result.store(b, column, forRange(b, zero, choices, 1, constantFloat(b, 0, width), step)[0]);
  });
}

void RowProgram::emitGate(moe::GateOp op) {
  RowRef logits = get(op.getLogits());
  gates[op]->emit(logits, getDestination(op.getIds()), getDestination(op.getWeights()));
}

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

LogicalResult RowProgram::emitRope(moe::RopeOp op) {
  RowRef x = get(op.getX()), result = getDestination(op);
  Value position = loadIndex(b, tile.getArgument(op.getPositions()).data, row);
  RowRef table = getRowOf(tile.getArgument(op.getTable()), op.getTable().getType(), position);
  int64_t dim = op.getRope().getDim(), head = x.columns / op.getHeads();
  auto emitHead = [&](Value start, const Team &part) {
    forColumns(b, head - dim, part, [&](Value column, int64_t width) {
      Value at = addIndex(b, start, column);
      result.store(b, at, x.load(b, at, width));
    });
    emitRotation(b, op.getRope(), part, x, table, result, addIndex(b, start, head - dim));
  };
  forHeads(op.getHeads(), head, emitHead);
  return success();
}

void RowProgram::emitCacheAppend(moe::CacheAppendOp op) {
  auto type = cast<moe::CacheType>(op.getCache().getType());
  Value cache = op.getCache();
  while (auto earlier = cache.getDefiningOp<moe::CacheAppendOp>())
    cache = earlier.getCache();
  Value position = loadIndex(b, tile.getArgument(op.getPositions()).data, row);
  Value sequence = loadIndex(b, tile.getArgument(op.getSequences()).data, row);
  Value pageRows = constantIndex(b, type.getPage());
  Value index = arith::DivUIOp::create(b, position, pageRows);
  Value page = loadIndex(b, tile.getArgument(op.getBlockTable()).data, {sequence, index});
  Value target = addIndex(b, arith::MulIOp::create(b, page, pageRows),
                          arith::RemUIOp::create(b, position, pageRows));
  RowRef row = get(op.getRows());
  Value memory = tile.getArgument(cache).data;
  if (!moe::getCacheRow(type).isQuantized())
    return copy(row, {memory, {}, target, 0, type.getWidth()});
  QuantizedRows rows(b, memory, type);
  RowRef codes = row, tail = row;
  codes.columns = rows.layout.codes;
  RowRef into{rows.codes, rows.scales, target, 0, codes.columns};
  into.startBlock = constantIndex(b, rows.firstScale);
  into.powerOf2Scales = true;
  quantizeRow(b, team, codes, into, rows.layout.block);
  tail.offset += codes.columns;
  tail.columns = rows.layout.tail;
  copy(tail, {rows.tail, {}, target, rows.firstTail, tail.columns});
}
