// One product and what follows it.
#include "codegen/kernels/matmul/ProductTile.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <numeric>

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

std::optional<std::string> ProductTile::refuse(Operation *op) {
  if (isa<moe::SliceOp, moe::DeinterleaveOp, moe::SwigluOp, moe::QuantizeOp>(op))
    return GatedEpilogue::refuse(op);
  return Epilogue::refuse(op);
}

SmallVector<Candidate> ProductTile::getCandidates(kern::KernelOp kernel, const Machine &machine,
                                                  int64_t columns) {
  if (!GatedEpilogue::matches(kernel))
    return getDotCandidates(kernel, machine, columns);
  return getGatedCandidates(kernel, machine, GatedEpilogue::getColumns(kernel),
                            GatedEpilogue::getColumnMultiple(kernel));
}

int64_t ProductTile::countBlocks(kern::KernelOp kernel, int64_t weightColumns) {
  int64_t columns =
      GatedEpilogue::matches(kernel) ? GatedEpilogue::getColumns(kernel) : weightColumns;
  return llvm::divideCeil(columns, kernel.getSchedule()->get("columns"));
}

FailureOr<ProductTile> ProductTile::get(TileFunction &tile, Operation *hero, Value x,
                                        Value weight) {
  DotSizes sizes = DotSizes::get(tile);
  bool isGated = GatedEpilogue::matches(tile.kernel);
  int64_t tileColumns = sizes.columns;
  if (isGated)
    sizes.columns = tile.getScheduleSize("panel");
  std::optional<Epilogue> plain;
  std::optional<GatedEpilogue> gated;
  if (isGated) {
    auto epilogue = GatedEpilogue::get(tile, hero, sizes.lanes);
    if (failed(epilogue))
      return failure();
    gated = *epilogue;
    // A panel clears all its columns of the sums: it must not reach past the run that it is part
    // of.
    if (int64_t block = gated->getLayout().block)
      sizes.columns = std::gcd(sizes.columns, std::gcd(block, tileColumns));
  } else {
    auto epilogue = Epilogue::get(tile, hero, sizes.lanes);
    if (failed(epilogue))
      return failure();
    plain = *epilogue;
  }
  auto readX = OperandReader::get(tile, x, sizes.lanes);
  auto readWeight = OperandReader::get(tile, weight, sizes.lanes);
  if (failed(readX) || failed(readWeight))
    return failure();
  // A gated tile has gates side by side with what they gate.
  DotTile dot(tile, *readX, *readWeight, sizes, isGated ? 2 * tileColumns : 0);
  ProductTile product(tile, dot, sizes);
  product.tileColumns = tileColumns;
  product.columns = isGated ? GatedEpilogue::getColumns(tile.kernel) : readWeight->getRows();
  product.sharesScales = readWeight->sharesScales(sizes.rows);
  product.epilogue = plain;
  product.gated = gated;
  return product;
}

void ProductTile::emit(const Range &range) {
  if (gated)
    emitGated(range);
  else
    emitPlain(range);
}

void ProductTile::emitPlain(const Range &range) {
  auto &b = tile->b;
  Value column = mulIndex(b, range.block, tileColumns);
  ColumnBlock block = getColumnBlock(b, column, columns, tileColumns);
  dot.emit({.weightRow = column,
            .numRows = block.count,
            .numTokens = range.numTokens,
            .xColumn = constantIndex(b, 0),
            .source = range.source,
            .expert = range.expert,
            .aligned = sharesScales});
  epilogue->emit({.sums = dot.getSums(),
                  .numTokens = range.numTokens,
                  .resultColumn = column,
                  .resultRow = range.resultRow,
                  .columns = tileColumns,
                  .block = block});
}

void ProductTile::emitGated(const Range &range) {
  auto &b = tile->b;
  Value zero = constantIndex(b, 0), column = mulIndex(b, range.block, tileColumns);
  ColumnBlock block = getColumnBlock(b, column, columns, tileColumns);
  // Columns that lie side by side, whatever tile they are of.
  const GatedEpilogue::Layout &layout = gated->getLayout();
  int64_t run = layout.block ? std::gcd(layout.block, tileColumns) : tileColumns;
  bool aligned = sharesScales && layout.gateOffset % sizes.rows == 0 &&
                 layout.upOffset % sizes.rows == 0 && layout.block % sizes.rows == 0 &&
                 (!layout.block || columns % sizes.rows == 0);
  forRange(b, zero, block.count, run, [&](Value first) {
    GatedEpilogue::Rows rows = gated->findRows(addIndex(b, column, first));
    Value rest = arith::SubIOp::create(b, block.count, first);
    Value count = arith::MinUIOp::create(b, rest, constantIndex(b, run));
    // One product, twice and in panels of fewer columns, so that panels stay in the cache.
    forRange(b, zero, constantIndex(b, 2), 1, [&](Value part) {
      Value partRow = addIndex(b, rows.gate, arith::MulIOp::create(b, part, rows.distance));
      Value sumsColumn = addIndex(b, mulIndex(b, part, tileColumns), first);
      forRange(b, zero, count, sizes.columns, [&](Value panel) {
        Value left = arith::SubIOp::create(b, count, panel);
        dot.emit({.weightRow = addIndex(b, partRow, panel),
                  .numRows = arith::MinUIOp::create(b, left, constantIndex(b, sizes.columns)),
                  .numTokens = range.numTokens,
                  .xColumn = zero,
                  .source = range.source,
                  .expert = range.expert,
                  .sumsColumn = addIndex(b, sumsColumn, panel),
                  .aligned = aligned});
      });
    });
  });
  forRange(b, zero, range.numTokens, 1, [&](Value token) {
    block.forWidth(b, tileColumns, [&](int64_t count) {
      gated->emit({.sums = dot.getSums(),
                   .token = token,
                   .row = range.resultRow(token),
                   .column = column,
                   .upColumn = tileColumns,
                   .columns = count});
    });
  });
}
