// Loads and stores of rows.
#include "codegen/kernels/rows/RowRef.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec::codegen;

SmallVector<Value, 2> RowRef::at(ImplicitLocOpBuilder &b, Value column) const {
  Value shifted = addIndex(b, column, offset);
  if (start)
    shifted = addIndex(b, shifted, start);
  if (row)
    return {row, shifted};
  return {shifted};
}

SmallVector<Value, 2> RowRef::atBlock(ImplicitLocOpBuilder &b, Value block) const {
  if (startBlock)
    block = addIndex(b, block, startBlock);
  if (row)
    return {row, block};
  return {block};
}

Value RowRef::load(ImplicitLocOpBuilder &b, Value column, int64_t lanes) const {
  return loadFloats(b, data, at(b, column), lanes);
}

void RowRef::store(ImplicitLocOpBuilder &b, Value column, Value values) const {
  storeFloats(b, values, data, at(b, column));
}

Value RowRef::loadScale(ImplicitLocOpBuilder &b, Value block) const {
  return loadFloat(b, scales, atBlock(b, block));
}

/// The next power of 2 of a positive f32: its fraction is added up to the exponent.
static Value raiseToPowerOf2(ImplicitLocOpBuilder &b, Value x) {
  auto constant = [&](int64_t bits) -> Value {
    return arith::ConstantIntOp::create(b, bits, /*width=*/32);
  };
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), x);
  bits = arith::AddIOp::create(b, bits, constant(0x007fffff));
  bits = arith::AndIOp::create(b, bits, constant(0x7f800000));
  return arith::BitcastOp::create(b, x.getType(), bits);
}

Value RowRef::roundScale(ImplicitLocOpBuilder &b, Value scale) const {
  if (powerOf2Scales)
    scale = raiseToPowerOf2(b, scale);
  Type type = cast<MemRefType>(scales.getType()).getElementType();
  if (type.isF32())
    return scale;
  scale = arith::TruncFOp::create(b, type, scale);
  return arith::ExtFOp::create(b, b.getF32Type(), scale);
}

void RowRef::storeScale(ImplicitLocOpBuilder &b, Value block, Value scale) const {
  storeFloat(b, scale, scales, atBlock(b, block));
}
