#include "codegen/kernels/attention/CacheRows.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/attention/SoftmaxTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

CacheRows::CacheRows(TileFunction &tile, Value cache, Value blockTable, int64_t lanes)
    : b(tile.b), data(tile.getArgument(cache).data), blockTable(tile.getArgument(blockTable).data),
      lanes(lanes) {
  auto type = cast<moe::CacheType>(cache.getType());
  columns = type.getWidth();
  page = type.getPage();
  if (moe::getCacheRow(type).isQuantized())
    quantized.emplace(b, data, type);
}

/// The row in `slot` as f32 into row `row` of `into`.
void CacheRows::fetchQuantized(Value slot, Value into, Value row) {
  auto store = [&](Value first, int64_t size, auto load) {
    forColumns(b, size, lanes, [&](Value column, int64_t width) {
      Value values = load(column, width);
      storeFloats(b, values, into, {row, addIndex(b, first, column)});
    });
  };
  const moe::CacheRow &layout = quantized->layout;
  auto copyBlock = [&](Value first, int64_t size) {
    store(first, size, [&](Value column, int64_t width) {
      return quantized->loadCodes(b, slot, addIndex(b, first, column), width);
    });
  };
  int64_t whole = layout.codes / layout.block * layout.block;
  forRange(b, constantIndex(b, 0), constantIndex(b, whole), layout.block,
           [&](Value first) { copyBlock(first, layout.block); });
  if (whole < layout.codes)
    copyBlock(constantIndex(b, whole), layout.codes - whole);
  store(constantIndex(b, layout.codes), layout.tail,
        [&](Value column, int64_t width) { return quantized->loadTail(b, slot, column, width); });
}

void CacheRows::fetch(Value sequence, Value position, Value count, ArrayRef<Part> parts) {
  Value pageRows = constantIndex(b, page);
  forRange(b, constantIndex(b, 0), count, 1, [&](Value i) {
    Value row = addIndex(b, position, i);
    Value block =
        loadIndex(b, blockTable, {sequence, arith::DivUIOp::create(b, row, pageRows).getResult()});
    Value slot =
        addIndex(b, mulIndex(b, block, page), arith::RemUIOp::create(b, row, pageRows).getResult());
    for (const Part &part : parts) {
      if (quantized)
        fetchQuantized(slot, part.into, i);
      else
        copyColumns(b, lanes, data, slot, part.column, part.columns, part.into, i, 0);
      zeroTail(b, lanes, part.into, i, part.columns);
    }
  });
}

void CacheRows::fetch(Value sequence, Value position, Value count, Value into) {
  fetch(sequence, position, count, Part{constantIndex(b, 0), columns, into});
}
