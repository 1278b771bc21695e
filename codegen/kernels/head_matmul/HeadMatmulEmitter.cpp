// moe.head_linear on the host. A tile is a block of one head's output columns for a
// block of tokens: dot products with the head's weight rows, or, transposed, a sum of
// the rows times the activations. With a query's projection before it a tile is a whole head.
#include "codegen/kernels/head_matmul/QueryTile.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/matmul/Epilogue.h"
#include "codegen/kernels/matmul/MatrixSchedule.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

namespace {

/// Columns of the result that one head makes.
int64_t getHeadColumns(moe::HeadLinearOp op) {
  return op.getTransposed() ? moe::getShape(op.getWeight().getType())[1] : op.getWSize();
}

/// Where a tile works.
struct Place {
  Value head, column; // first column of the head's result
  Value token, numTokens;
  ColumnBlock block;
};

Place getPlace(TileFunction &tile, moe::HeadLinearOp op, int64_t columns, int64_t tokens) {
  auto &b = tile.b;
  int64_t headColumns = getHeadColumns(op), blocks = llvm::divideCeil(headColumns, columns);
  auto divide = [&](Value value, int64_t by) -> Value {
    return arith::DivUIOp::create(b, value, constantIndex(b, by));
  };
  auto remainder = [&](Value value, int64_t by) -> Value {
    return arith::RemUIOp::create(b, value, constantIndex(b, by));
  };
  Place place;
  place.column = mulIndex(b, remainder(tile.getTile(), blocks), columns);
  Value rest = divide(tile.getTile(), blocks);
  place.head = remainder(rest, op.getHeads());
  place.token = mulIndex(b, divide(rest, op.getHeads()), tokens);
  Value left = arith::SubIOp::create(b, tile.getResult(0).rows, place.token);
  place.numTokens = arith::MinUIOp::create(b, left, constantIndex(b, tokens));
  place.block = getColumnBlock(b, place.column, headColumns, columns);
  return place;
}

class HeadMatmulEmitter : public MatrixEmitter {
public:
  std::optional<std::string> refuseFusion(Operation *op, bool before) const override {
    return before ? QueryTile::refuse(op) : MatrixEmitter::refuseFusion(op, before);
  }

  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    auto op = findHero<moe::HeadLinearOp>(kernel);
    if (QueryTile::matches(op))
      return {QueryTile::getCandidate(kernel, machine)};
    if (op.getTransposed())
      return {RowSumTile::getCandidate(kernel, machine)};
    return getDotCandidates(kernel, machine, op.getHeads() * op.getWSize());
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    auto op = findHero<moe::HeadLinearOp>(kernel);
    if (QueryTile::matches(op))
      return QueryTile::getGrid(kernel);
    auto [dim, multiplier] = getRows(kernel);
    kern::ScheduleAttr schedule = *kernel.getSchedule();
    int64_t blocks = llvm::divideCeil(getHeadColumns(op), schedule.get("columns"));
    return kern::GridAttr::get(kernel.getContext(), dim, multiplier, schedule.get("tokens"),
                               /*cap=*/0, blocks * op.getHeads());
  }

  LogicalResult emit(TileFunction &tile) const override {
    auto op = findHero<moe::HeadLinearOp>(tile.kernel);
    if (QueryTile::matches(op))
      return QueryTile::emit(tile, op);
    int64_t lanes = tile.getScheduleSize("vector"), columns = tile.getScheduleSize("columns"),
            tokens = tile.getScheduleSize("tokens");
    auto epilogue = Epilogue::get(tile, op, lanes);
    if (failed(epilogue))
      return failure();
    auto x = OperandReader::get(tile, op.getX(), lanes);
    auto weight = OperandReader::get(tile, op.getWeight(), lanes);
    if (failed(x) || failed(weight))
      return failure();

    auto &b = tile.b;
    Place place = getPlace(tile, op, columns, tokens);
    int64_t heads = op.getHeads(), headRows = weight->getRows() / heads,
            headInputs = x->getColumns() / heads;
    Value weightRow = addIndex(b, mulIndex(b, place.head, headRows), op.getWOffset());
    Value xColumn = addIndex(b, mulIndex(b, place.head, headInputs), op.getXOffset());
    auto row = [&](Value t) { return addIndex(b, place.token, t); };

    Value sums;
    if (op.getTransposed()) {
      RowSumTile rowSum(tile, *x, *weight, op.getWSize());
      sums = rowSum.getSums();
      rowSum.emit({weightRow, place.column, xColumn, place.token, place.numTokens}, place.block);
    } else {
      DotTile dot(tile, *x, *weight, DotSizes::get(tile));
      sums = dot.getSums();
      bool aligned = weight->sharesScales(dot.getSizes().rows) &&
                     headRows % dot.getSizes().rows == 0 &&
                     op.getWOffset() % dot.getSizes().rows == 0;
      dot.emit({.weightRow = arith::AddIOp::create(b, weightRow, place.column),
                .numRows = place.block.count,
                .numTokens = place.numTokens,
                .xColumn = xColumn,
                .source = row,
                .expert = nullptr,
                .aligned = aligned});
    }
    Value resultColumn = addIndex(b, mulIndex(b, place.head, getHeadColumns(op)), place.column);
    epilogue->emit({.sums = sums,
                    .numTokens = place.numTokens,
                    .resultColumn = resultColumn,
                    .resultRow = row,
                    .columns = columns,
                    .block = place.block});
    return success();
  }
};

} // namespace

const KernelEmitter &moec::codegen::getHeadMatmulEmitter() {
  static HeadMatmulEmitter emitter;
  return emitter;
}
