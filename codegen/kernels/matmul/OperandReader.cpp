// Loads of weights and activations, and the unpacking of E4M3.
#include "codegen/kernels/matmul/OperandReader.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

FailureOr<OperandReader> OperandReader::get(TileFunction &tile, Value value, int64_t lanes) {
  Buffer buffer = tile.getArgument(value);
  assert(buffer && "a matrix kernel has no ops before its product");
  OperandReader reader(tile);
  reader.data = buffer.data;
  reader.scales = buffer.scales;
  reader.lanes = lanes;
  auto type = cast<MemRefType>(buffer.data.getType());
  reader.element = type.getElementType();
  reader.columns = type.getShape().back();
  reader.rows = type.getShape()[type.getRank() - 2];
  reader.blockRows = reader.blockColumns = INT64_MAX;
  if (moe::QuantSchemeAttr scheme = moe::getScheme(value.getType())) {
    auto [rows, columns] = std::pair(scheme.getBlock()[0], scheme.getBlock()[1]);
    reader.blockRows = rows ? rows : INT64_MAX;
    reader.blockColumns = columns && columns < reader.columns ? columns : INT64_MAX;
    bool fits = reader.blockColumns == INT64_MAX || columns % 32 == 0;
    if (!isa<Float8E4M3FNType>(scheme.getStorage()) || !scheme.getScale().isF32() || !fits)
      return tile.kernel.emitError() << "the host's matrix kernels read f8E4M3FN codes with f32 "
                                        "scales in blocks of 32 n columns; got "
                                     << scheme;
  }
  return reader;
}

OperandReader OperandReader::ofRows(TileFunction &tile, Value rows, int64_t columns,
                                    int64_t lanes) {
  OperandReader reader(tile);
  reader.data = rows;
  reader.element = tile.b.getF32Type();
  reader.rows = cast<MemRefType>(rows.getType()).getShape()[0];
  reader.columns = columns;
  reader.lanes = lanes;
  reader.blockRows = reader.blockColumns = INT64_MAX;
  return reader;
}

OperandReader OperandReader::select(Value index) const {
  OperandReader reader = *this;
  reader.expert = index;
  return reader;
}

SmallVector<Value> OperandReader::at(Value row, Value column) const {
  if (expert)
    return {expert, row, column};
  return {row, column};
}

Value OperandReader::loadScale(Value row, Value block) const {
  auto &b = tile->b;
  Value rowBlock = constantIndex(b, 0);
  if (blockRows == 1)
    rowBlock = row;
  else if (blockRows != INT64_MAX)
    rowBlock = arith::DivUIOp::create(b, row, constantIndex(b, blockRows));
  Value scale = memref::LoadOp::create(b, scales, at(rowBlock, block));
  return arith::MulFOp::create(b, scale, constantFloat(b, 256));
}

/// What vectors of stored elements hold. Narrow floats travel as integers, whose shuffles
/// every x86 has.
Type OperandReader::getStorage() const {
  return element.isF32() ? element : tile->b.getIntegerType(element.getIntOrFloatBitWidth());
}

/// A tail in pieces of falling powers of two, put into a vector of zeros.
Value OperandReader::loadPieces(Value row, Value column, int64_t count) const {
  auto &b = tile->b;
  Type storage = getStorage();
  auto whole = VectorType::get({getStep()}, storage);
  Value result = arith::ConstantOp::create(b, b.getZeroAttr(whole));
  int64_t done = 0;
  for (int64_t width = lanes; width >= 1; width /= 2) {
    if (count - done < width)
      continue;
    Value piece = vector::LoadOp::create(b, VectorType::get({width}, element), data,
                                         at(row, addIndex(b, column, done)));
    if (storage != element)
      piece = vector::BitCastOp::create(b, VectorType::get({width}, storage), piece);
    result = vector::InsertStridedSliceOp::create(b, piece, result, ArrayRef<int64_t>{done},
                                                  ArrayRef<int64_t>{1});
    done += width;
  }
  return result;
}

Value OperandReader::loadStored(Value row, Value column, int64_t count) const {
  auto &b = tile->b;
  if (count < getStep())
    return loadPieces(row, column, count);
  Value stored =
      vector::LoadOp::create(b, VectorType::get({getStep()}, element), data, at(row, column));
  if (getStorage() != element)
    stored = vector::BitCastOp::create(b, VectorType::get({getStep()}, getStorage()), stored);
  return stored;
}

Value OperandReader::loadElement(Value row, Value column) const {
  return loadFloat(tile->b, data, at(row, column));
}

/// The floats of `lanes` stored elements from `offset` on.
Value OperandReader::unpackHalf(Value stored, int64_t offset) const {
  auto &b = tile->b;
  Value part = vector::ExtractStridedSliceOp::create(
      b, stored, ArrayRef<int64_t>{offset}, ArrayRef<int64_t>{lanes}, ArrayRef<int64_t>{1});
  VectorType floats = floatVector(b, lanes);
  if (element.isF32())
    return part;
  if (element.isF16()) {
    part = vector::BitCastOp::create(b, floats.clone(element), part);
    return arith::ExtFOp::create(b, floats, part);
  }
  VectorType words = floats.clone(b.getI32Type());
  Value sixteen =
      arith::ConstantOp::create(b, DenseElementsAttr::get(words, b.getI32IntegerAttr(16)));
  Value bits = arith::ShLIOp::create(b, arith::ExtUIOp::create(b, words, part), sixteen);
  return vector::BitCastOp::create(b, floats, bits);
}

Chunk OperandReader::unpack(Value stored, bool exactNan) const {
  auto &b = tile->b;
  VectorType floats = floatVector(b, lanes);
  if (!isQuantized())
    return {unpackHalf(stored, 0), unpackHalf(stored, lanes)};

  auto words = VectorType::get({lanes}, b.getI16Type());
  auto splat = [&](int16_t value) -> Value {
    return arith::ConstantOp::create(
        b, DenseElementsAttr::get(words, b.getIntegerAttr(b.getI16Type(), value)));
  };
  // seeeemmm in the high byte -> s0eeeemmm0000000: the sign is shifted in twice and masked once.
  auto toFloat = [&](Value high) -> Value {
    Value bits = arith::ShRSIOp::create(b, high, splat(1));
    bits = arith::AndIOp::create(b, bits, splat(int16_t(0xBF80)));
    if (exactNan) {
      Value magnitude = arith::AndIOp::create(b, bits, splat(0x3F80));
      Value isNan = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, magnitude, splat(0x3F80));
      bits = arith::SelectOp::create(b, isNan, splat(0x7E00), bits);
    }
    Value half = vector::BitCastOp::create(b, VectorType::get({lanes}, b.getF16Type()), bits);
    return arith::ExtFOp::create(b, floats, half);
  };
  Value pairs = vector::BitCastOp::create(b, words, stored);
  Value even = arith::ShLIOp::create(b, pairs, splat(8));
  return {toFloat(even), toFloat(pairs)};
}

//===----------------------------------------------------------------------===//
// NaN codes
//===----------------------------------------------------------------------===//

static Value byteSplat(ImplicitLocOpBuilder &b, int64_t width, int8_t value) {
  auto type = VectorType::get({width}, b.getI8Type());
  return arith::ConstantOp::create(
      b, DenseElementsAttr::get(type, b.getIntegerAttr(b.getI8Type(), value)));
}

Value OperandReader::startNan() const { return byteSplat(tile->b, getStep(), 0); }

Value OperandReader::trackNan(Value tracker, Value stored) const {
  auto &b = tile->b;
  Value magnitude = arith::OrIOp::create(b, stored, byteSplat(b, getStep(), int8_t(0x80)));
  return arith::MaxUIOp::create(b, tracker, magnitude);
}

Value OperandReader::applyNan(Value tracker, Value value) const {
  auto &b = tile->b;
  Value isNan = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, tracker,
                                      byteSplat(b, getStep(), int8_t(0xFF)));
  Value any = vector::ReductionOp::create(b, vector::CombiningKind::OR, isNan);
  Value nan = constantFloat(b, std::numeric_limits<double>::quiet_NaN());
  return arith::SelectOp::create(b, any, nan, value);
}

//===----------------------------------------------------------------------===//
// Walks
//===----------------------------------------------------------------------===//

OperandReader::Carry
OperandReader::forBlocks(Value column, int64_t length, ValueRange init,
                         llvm::function_ref<Carry(Value, int64_t, Value, ValueRange)> body) const {
  auto &b = tile->b;
  Value zero = constantIndex(b, 0);
  if (blockColumns == INT64_MAX)
    return body(zero, length, zero, init);
  Value first = arith::DivUIOp::create(b, column, constantIndex(b, blockColumns));
  int64_t whole = length / blockColumns, rest = length % blockColumns;
  Carry carried(init);
  if (whole)
    carried =
        forRange(b, zero, constantIndex(b, whole), 1, carried, [&](Value i, ValueRange carried) {
          return body(mulIndex(b, i, blockColumns), blockColumns, addIndex(b, first, i), carried);
        });
  if (rest)
    carried =
        body(constantIndex(b, whole * blockColumns), rest, addIndex(b, first, whole), carried);
  return carried;
}

OperandReader::Carry
OperandReader::forChunks(int64_t length, ValueRange init,
                         llvm::function_ref<Carry(Value, int64_t, ValueRange)> body) const {
  auto &b = tile->b;
  int64_t step = getStep(), whole = length / step * step;
  Carry carried(init);
  if (whole)
    carried =
        forRange(b, constantIndex(b, 0), constantIndex(b, whole), step, carried,
                 [&](Value offset, ValueRange carried) { return body(offset, step, carried); });
  if (length > whole)
    carried = body(constantIndex(b, whole), length - whole, carried);
  return carried;
}

void moec::codegen::stageRow(TileFunction &tile, const OperandReader &from, Value row, Value column,
                             int64_t length, ChunkOrder order, Value into, Value intoRow) {
  auto &b = tile.b;
  int64_t lanes = from.getStep() / 2;
  auto block = [&](Value blockOffset, int64_t blockLength, Value index, ValueRange) {
    Value scale;
    if (from.isQuantized())
      scale = splat(b, from.loadScale(row, index), lanes);
    auto chunk = [&](Value offset, int64_t count, ValueRange) -> OperandReader::Carry {
      Value to = addIndex(b, blockOffset, offset);
      Value stored = from.loadStored(row, addIndex(b, column, to), count);
      Chunk values = from.unpack(stored, /*exactNan=*/true);
      if (scale) {
        values.first = arith::MulFOp::create(b, values.first, scale);
        values.second = arith::MulFOp::create(b, values.second, scale);
      }
      values = reorder(b, values, from.getOrder(), order);
      vector::StoreOp::create(b, values.first, into, ValueRange{intoRow, to});
      vector::StoreOp::create(b, values.second, into, ValueRange{intoRow, addIndex(b, to, lanes)});
      return {};
    };
    return from.forChunks(blockLength, {}, chunk);
  };
  from.forBlocks(column, length, {}, block);
}

Chunk moec::codegen::reorder(ImplicitLocOpBuilder &b, Chunk chunk, ChunkOrder from, ChunkOrder to) {
  if (from == to)
    return chunk;
  int64_t lanes = cast<VectorType>(chunk.first.getType()).getDimSize(0);
  SmallVector<int64_t> first, second;
  for (int64_t i = 0; i < lanes; ++i) {
    bool toEvenOdd = to == ChunkOrder::EvenOdd;
    int64_t low = i, high = lanes + i; // positions in the result
    auto source = [&](int64_t position) {
      if (toEvenOdd)
        return position < lanes ? 2 * position : 2 * (position - lanes) + 1;
      return position % 2 == 0 ? position / 2 : lanes + position / 2;
    };
    first.push_back(source(low));
    second.push_back(source(high));
  }
  return {vector::ShuffleOp::create(b, chunk.first, chunk.second, first),
          vector::ShuffleOp::create(b, chunk.first, chunk.second, second)};
}
