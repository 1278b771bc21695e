#include "codegen/kernels/QuantizedRows.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

QuantizedRows::QuantizedRows(ImplicitLocOpBuilder &b, Value bytes, moe::CacheType type)
    : layout(moe::getCacheRow(type)), firstScale(layout.getScalesOffset() / 4),
      firstTail(layout.getTailOffset() / 2) {
  // Nobody asks how many rows there are.
  Value zero = constantIndex(b, 0);
  auto flat = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
  SmallVector<OpFoldResult> size = {OpFoldResult(zero)}, stride = {b.getIndexAttr(1)};
  Value all = memref::ReinterpretCastOp::create(b, flat, bytes, OpFoldResult(b.getIndexAttr(0)),
                                                size, stride);
  auto view = [&](Type element, int64_t width) -> Value {
    auto rows = MemRefType::get({ShapedType::kDynamic, layout.bytes / width}, element);
    return memref::ViewOp::create(b, rows, all, zero, ValueRange{zero});
  };
  codes = view(Float8E4M3FNType::get(b.getContext()), 1);
  scales = view(b.getF32Type(), 4);
  tail = view(b.getBF16Type(), 2);
}

Value QuantizedRows::loadCodes(ImplicitLocOpBuilder &b, Value row, Value column,
                               int64_t lanes) const {
  Value block = arith::DivUIOp::create(b, column, constantIndex(b, layout.block));
  Value scale = loadFloat(b, scales, {row, addIndex(b, block, firstScale)});
  Value values = loadFloats(b, codes, {row, column}, lanes);
  return arith::MulFOp::create(b, values, splat(b, scale, lanes));
}

Value QuantizedRows::loadTail(ImplicitLocOpBuilder &b, Value row, Value column,
                              int64_t lanes) const {
  return loadFloats(b, tail, {row, addIndex(b, column, firstTail)}, lanes);
}
