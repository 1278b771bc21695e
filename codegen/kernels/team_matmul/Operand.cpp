#include "codegen/kernels/team_matmul/Operand.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

std::optional<std::string> Operand::refuse(Type type) {
  moe::QuantSchemeAttr scheme = moe::getScheme(type);
  if (!scheme)
    return std::nullopt;
  int64_t block = scheme.getBlock()[1];
  if (!isa<Float8E4M3FNType>(scheme.getStorage()) || !scheme.getScale().isF32() || block % 16)
    return "products read f8E4M3FN codes with f32 scales in blocks of 16 n columns";
  return std::nullopt;
}

Operand::Operand(TileFunction &tile, Value value) : buffer(tile.getArgument(value)) {
  auto type = cast<MemRefType>(buffer.data.getType());
  columns = type.getShape().back();
  rows = type.getShape()[type.getRank() - 2];
  if (moe::QuantSchemeAttr scheme = moe::getScheme(value.getType())) {
    blockRows = scheme.getBlock()[0];
    blockColumns = scheme.getBlock()[1];
  }
}

Operand Operand::select(Value index) const {
  Operand selected = *this;
  selected.expert = index;
  return selected;
}

SmallVector<Value, 3> Operand::at(Value row, Value column) const {
  if (expert)
    return {expert, row, column};
  return {row, column};
}

Value Operand::load(ImplicitLocOpBuilder &b, Value row, Value column, int64_t lanes) const {
  return loadFloats(b, buffer.data, at(row, column), lanes);
}

Value Operand::loadElement(ImplicitLocOpBuilder &b, Value row, Value column) const {
  return loadFloat(b, buffer.data, at(row, column));
}

/// `loaded` as the type of its bits, which loops can carry on any machine.
static Value toRaw(ImplicitLocOpBuilder &b, Value loaded) {
  Type type = loaded.getType();
  if (!isa<Float8E4M3FNType>(getElementTypeOrSelf(type)))
    return loaded;
  auto vector = dyn_cast<VectorType>(type);
  Type bits = vector ? Type(vector.clone(b.getI8Type())) : Type(b.getI8Type());
  return arith::BitcastOp::create(b, bits, loaded);
}

Value Operand::loadRaw(ImplicitLocOpBuilder &b, Value row, Value column, int64_t lanes) const {
  Type element = cast<MemRefType>(buffer.data.getType()).getElementType();
  return toRaw(b, vector::LoadOp::create(b, VectorType::get({lanes}, element), buffer.data,
                                         at(row, column)));
}

Value Operand::loadRawElement(ImplicitLocOpBuilder &b, Value row, Value column) const {
  return toRaw(b, memref::LoadOp::create(b, buffer.data, at(row, column)));
}

Value Operand::loadScale(ImplicitLocOpBuilder &b, Value row, Value column) const {
  if (!isQuantized())
    return {};
  auto divide = [&](Value index, int64_t block) -> Value {
    if (!block)
      return constantIndex(b, 0);
    return block == 1 ? index
                      : arith::DivUIOp::create(b, index, constantIndex(b, block)).getResult();
  };
  return loadFloat(b, buffer.scales, at(divide(row, blockRows), divide(column, blockColumns)));
}

Value moec::codegen::multiplyScales(ImplicitLocOpBuilder &b, Value lhs, Value rhs) {
  if (!lhs || !rhs)
    return lhs ? lhs : rhs;
  return arith::MulFOp::create(b, lhs, rhs);
}
