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
      copyColumns(b, lanes, data, slot, part.column, part.columns, part.into, i, 0);
      zeroTail(b, lanes, part.into, i, part.columns);
    }
  });
}

void CacheRows::fetch(Value sequence, Value position, Value count, Value into) {
  fetch(sequence, position, count, Part{constantIndex(b, 0), columns, into});
}
