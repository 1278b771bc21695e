#include "codegen/kernels/rows/RowParts.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

/// Rotates `width` pairs, given as two vectors, by the table's cosines and sines.
static std::pair<Value, Value> rotate(ImplicitLocOpBuilder &b, Value x, Value y, Value cosine,
                                      Value sine) {
  Value minus = arith::NegFOp::create(b, sine);
  Value first = math::FmaOp::create(b, y, minus, arith::MulFOp::create(b, x, cosine));
  Value second = math::FmaOp::create(b, x, sine, arith::MulFOp::create(b, y, cosine));
  return {first, second};
}

void moec::codegen::emitRotation(ImplicitLocOpBuilder &b, moe::RopeAttr rope, const Team &team,
                                 const RowRef &x, const RowRef &table, const RowRef &result,
                                 Value begin) {
  int64_t half = rope.getDim() / 2;
  bool interleaved = rope.getLayout() == moe::RopeLayout::Interleaved;
  forColumns(b, half, team, [&](Value pair, int64_t width) {
    Value cosine = table.load(b, pair, width);
    Value sine = table.load(b, addIndex(b, pair, half), width);
    if (interleaved) {
      Value at = addIndex(b, begin, mulIndex(b, pair, 2));
      auto parts = vector::DeinterleaveOp::create(b, x.load(b, at, 2 * width));
      auto [first, second] = rotate(b, parts.getRes1(), parts.getRes2(), cosine, sine);
      result.store(b, at, vector::InterleaveOp::create(b, first, second));
      return;
    }
    Value at = addIndex(b, begin, pair), other = addIndex(b, at, half);
    auto [first, second] = rotate(b, x.load(b, at, width), x.load(b, other, width), cosine, sine);
    result.store(b, at, first);
    result.store(b, other, second);
  });
}

void moec::codegen::emitQuantizedBlock(ImplicitLocOpBuilder &b, const Team &team, const RowRef &x,
                                       Value from, const RowRef &result, Value to, Value block,
                                       int64_t size) {
  auto loadAt = [&](Value column, int64_t width) {
    return x.load(b, addIndex(b, from, column), width);
  };
  Value largest =
      reduceColumns(b, size, team, Reduction::Maximum, 0, [&](Value column, int64_t width) {
        return math::AbsFOp::create(b, loadAt(column, width)).getResult();
      });
  largest = arith::MaximumFOp::create(b, largest, constantFloat(b, 1e-4));
  Value scale = arith::DivFOp::create(b, largest, constantFloat(b, 448));
  scale = result.roundScale(b, scale);
  runOnce(b, team, [&] { result.storeScale(b, block, scale); });
  forColumns(b, size, team, [&](Value column, int64_t width) {
    Value scaled = arith::DivFOp::create(b, loadAt(column, width), splat(b, scale, width));
    result.store(b, addIndex(b, to, column), scaled);
  });
}

void moec::codegen::quantizeColumns(ImplicitLocOpBuilder &b, const Team &team, const RowRef &x,
                                    const RowRef &result, Value first, Value columns,
                                    int64_t block) {
  forRange(b, constantIndex(b, 0), columns, block, [&](Value column) {
    Value to = arith::AddIOp::create(b, first, column);
    Value scale = arith::DivUIOp::create(b, to, constantIndex(b, block));
    emitQuantizedBlock(b, team, x, column, result, to, scale, block);
  });
}

void moec::codegen::forScaleBlocks(ImplicitLocOpBuilder &b, const Team &team, int64_t columns,
                                   int64_t block, ScaleBlockBody body) {
  block = block ? block : columns;
  int64_t whole = columns / block;
  forItems(
      b, team, constantIndex(b, 0), constantIndex(b, whole),
      [&](Value index, const Team &part) { body(index, mulIndex(b, index, block), block, part); });
  if (int64_t rest = columns % block)
    body(constantIndex(b, whole), constantIndex(b, whole * block), rest, team);
}

void moec::codegen::swigluRow(ImplicitLocOpBuilder &b, const Team &team, const RowRef &gate,
                              const RowRef &up, const RowRef &result, moe::SwigluOp op) {
  forColumns(b, result.columns, team, [&](Value column, int64_t width) {
    Value g = roundFloats(b, gate.load(b, column, width), op.getGate().getType());
    Value u = roundFloats(b, up.load(b, column, width), op.getUp().getType());
    Value decay = math::ExpOp::create(b, arith::NegFOp::create(b, g));
    Value divisor = arith::AddFOp::create(b, constantFloat(b, 1, width), decay);
    Value silu = arith::DivFOp::create(b, g, divisor);
    result.store(b, column, roundFloats(b, arith::MulFOp::create(b, silu, u), op.getType()));
  });
}

void moec::codegen::quantizeRow(ImplicitLocOpBuilder &b, const Team &team, const RowRef &x,
                                const RowRef &result, int64_t block) {
  forScaleBlocks(b, team, x.columns, block,
                 [&](Value index, Value first, int64_t size, const Team &part) {
                   emitQuantizedBlock(b, part, x, first, result, first, index, size);
                 });
}
