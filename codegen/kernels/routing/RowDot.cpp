// Columns are walked in the blocks that share a scale on both sides; a block's
// sum is scaled once.
#include "codegen/kernels/routing/RowDot.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <numeric>

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

std::optional<std::string> moec::codegen::refuseRowDot(moe::LinearOp op) {
  for (Value operand : op->getOperands())
    if (auto scheme = moe::getScheme(operand.getType()))
      if (!isa<Float8E4M3FNType>(scheme.getStorage()) || !scheme.getScale().isF32())
        return "codes must be f8E4M3FN with f32 scales";
  return std::nullopt;
}

namespace {
/// A row of a matrix and how its scales are found.
struct Operand {
  Buffer buffer;
  Value row;
  int64_t blockRows = 1, blockColumns = 0; // 0: no scales

  Operand(const Buffer &buffer, Type type, Value row, int64_t columns) : buffer(buffer), row(row) {
    if (auto scheme = moe::getScheme(type)) {
      blockRows = scheme.getBlock()[0];
      blockColumns = scheme.getBlock()[1] ? scheme.getBlock()[1] : columns;
    }
  }
  Value load(ImplicitLocOpBuilder &b, Value column, int64_t lanes) const {
    return loadFloats(b, buffer.data, {row, column}, lanes);
  }
  Value loadScale(ImplicitLocOpBuilder &b, Value column) const {
    Value scaleRow = blockRows ? arith::DivUIOp::create(b, row, constantIndex(b, blockRows))
                               : constantIndex(b, 0);
    Value scaleColumn = arith::DivUIOp::create(b, column, constantIndex(b, blockColumns));
    return loadFloat(b, buffer.scales, {scaleRow, scaleColumn});
  }
};
} // namespace

Value moec::codegen::emitRowDot(TileFunction &tile, const Team &team, moe::LinearOp op, Value row,
                                Value feature) {
  auto &b = tile.b;
  int64_t columns = moe::getShape(op.getX().getType()).back();
  Operand x(tile.getArgument(op.getX()), op.getX().getType(), row, columns);
  Operand weight(tile.getArgument(op.getWeight()), op.getWeight().getType(), feature, columns);
  int64_t block = std::gcd(x.blockColumns, weight.blockColumns);
  block = block ? std::min(block, columns) : columns;

  auto sumBlock = [&](Value first, int64_t size) -> Value {
    Value sum =
        reduceColumns(b, size, team, Reduction::Add, 0, [&](Value column, int64_t width) -> Value {
          Value at = addIndex(b, first, column);
          return arith::MulFOp::create(b, x.load(b, at, width), weight.load(b, at, width));
        });
    for (const Operand *operand : {&x, &weight})
      if (operand->blockColumns)
        sum = arith::MulFOp::create(b, sum, operand->loadScale(b, first));
    return sum;
  };
  int64_t whole = columns / block * block;
  Value total =
      forRange(b, constantIndex(b, 0), constantIndex(b, whole), block, constantFloat(b, 0),
               [&](Value first, ValueRange carried) -> SmallVector<Value> {
                 return {arith::AddFOp::create(b, carried[0], sumBlock(first, block))};
               })[0];
  if (columns > whole)
    total = arith::AddFOp::create(b, total, sumBlock(constantIndex(b, whole), columns - whole));
  if (op.getBias())
    total = arith::AddFOp::create(b, total,
                                  loadFloat(b, tile.getArgument(op.getBias()).data, {feature}));
  return total;
}
