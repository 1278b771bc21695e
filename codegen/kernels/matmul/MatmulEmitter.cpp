// moe.linear on the host: a tile is a block of output columns for a block of tokens.
#include "codegen/kernels/Emitter.h"
#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/matmul/DotTile.h"
#include "codegen/kernels/matmul/Epilogue.h"
#include "codegen/kernels/matmul/MatrixSchedule.h"
#include "codegen/kernels/matmul/RowTail.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

namespace {

class MatmulEmitter : public MatrixEmitter {
public:
  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    auto linear = findHero<moe::LinearOp>(kernel);
    ArrayRef<int64_t> shape = moe::getShape(linear.getWeight().getType());
    SmallVector<Candidate> candidates = getDotCandidates(kernel, machine, shape[0], shape[1]);
    RowTail::addCounters(kernel, candidates);
    return candidates;
  }

  std::optional<std::string> refuseRowEpilogue(Operation *op, uint64_t rows) const override {
    return RowTail::refuse(op, rows);
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    auto linear = findHero<moe::LinearOp>(kernel);
    int64_t columns = moe::getShape(linear.getWeight().getType())[0];
    auto [dim, multiplier] = getRows(kernel);
    kern::ScheduleAttr schedule = *kernel.getSchedule();
    return kern::GridAttr::get(kernel.getContext(), dim, multiplier, schedule.get("tokens"),
                               /*cap=*/0, llvm::divideCeil(columns, schedule.get("columns")));
  }

  LogicalResult emit(TileFunction &tile) const override {
    auto &b = tile.b;
    auto linear = findHero<moe::LinearOp>(tile.kernel);
    DotSizes sizes = DotSizes::get(tile);
    auto epilogue = Epilogue::get(tile, linear, sizes.lanes);
    if (failed(epilogue))
      return failure();
    auto x = OperandReader::get(tile, linear.getX(), sizes.lanes);
    auto weight = OperandReader::get(tile, linear.getWeight(), sizes.lanes);
    auto tail = RowTail::get(tile);
    if (failed(x) || failed(weight) || failed(tail))
      return failure();
    DotTile dot(tile, *x, *weight, sizes);

    // Tiles of one block of tokens follow each other: they read the same activations.
    int64_t columns = moe::getShape(linear.getWeight().getType())[0];
    Value blocks = constantIndex(b, llvm::divideCeil(columns, sizes.columns));
    Value column = mulIndex(b, arith::RemUIOp::create(b, tile.getTile(), blocks), sizes.columns);
    Value token = mulIndex(b, arith::DivUIOp::create(b, tile.getTile(), blocks), sizes.tokens);
    Value rows = tile.getResult(0).rows;
    Value numTokens = arith::MinUIOp::create(b, arith::SubIOp::create(b, rows, token),
                                             constantIndex(b, sizes.tokens));
    ColumnBlock block = getColumnBlock(b, column, columns, sizes.columns);
    auto row = [&](Value t) { return addIndex(b, token, t); };

    dot.emit({.weightRow = column,
              .numRows = block.count,
              .numTokens = numTokens,
              .xColumn = constantIndex(b, 0),
              .source = row,
              .expert = nullptr,
              .aligned = weight->sharesScales(sizes.rows)});
    epilogue->emit({.sums = dot.getSums(),
                    .numTokens = numTokens,
                    .resultColumn = column,
                    .resultRow = row,
                    .columns = sizes.columns,
                    .lastColumns = block.lastCount,
                    .isLast = block.isLast});
    Value rowBlock = arith::DivUIOp::create(b, tile.getTile(), blocks);
    return tail->emit(
        {.block = rowBlock, .numTiles = blocks, .firstRow = token, .numRows = numTokens});
  }
};

} // namespace

const KernelEmitter &moec::codegen::getMatmulEmitter() {
  static MatmulEmitter emitter;
  return emitter;
}
