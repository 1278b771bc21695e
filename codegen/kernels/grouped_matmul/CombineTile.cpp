// The experts' last product and the weighted sum of their results.
#include "codegen/kernels/grouped_matmul/CombineTile.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/matmul/DotTile.h"
#include "codegen/kernels/matmul/Epilogue.h"
#include "codegen/kernels/matmul/MatrixSchedule.h"
#include "codegen/kernels/matmul/RowTail.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

bool CombineTile::matches(kern::KernelOp kernel) {
  return !kernel.getBody().front().getOps<moe::CombineOp>().empty();
}

std::optional<std::string> CombineTile::refuse(Operation *combine) {
  if (cast<moe::CombineOp>(combine).getY().getDefiningOp<moe::GroupedLinearOp>())
    return std::nullopt;
  return "the host's matrix kernels combine the slots of their own product only";
}

std::optional<std::string> CombineTile::refuseRowEpilogue(Operation *op, uint64_t rows) {
  // Without moe.combine rows are slots, and tiles of several experts share blocks of them.
  if (isa<moe::RmsNormOp, moe::AddOp>(op) ||
      (isa<moe::QuantizeOp>(op) && op->getOperand(0).getDefiningOp<moe::RmsNormOp>()))
    return RowTail::refuse(op, rows);
  return "the host's grouped kernels end with sums, norms and the quantization of these";
}

kern::GridAttr CombineTile::getGrid(kern::KernelOp kernel, int64_t columns) {
  return kern::GridAttr::get(kernel.getContext(), kern::Dim::One, /*multiplier=*/1, /*divisor=*/1,
                             /*cap=*/0,
                             llvm::divideCeil(columns, kernel.getSchedule()->get("columns")));
}

namespace {
/// The block of columns of a tile, and where sums go: the first result's buffer.
struct Target {
  Value into, column;
  ColumnBlock block;
  int64_t columns, lanes;

  void clear(ImplicitLocOpBuilder &b, Value row) const {
    block.forWidth(b, columns, [&](int64_t count) {
      forColumns(b, count, lanes, [&](Value offset, int64_t width) {
        storeFloats(b, constantFloat(b, 0, width), into, {row, addIndex(b, column, offset)});
      });
    });
  }

  /// Adds weight * sums[token] to row `row`.
  void accumulate(ImplicitLocOpBuilder &b, Value row, Value weight, Value sums, Value token) const {
    block.forWidth(b, columns, [&](int64_t count) {
      forColumns(b, count, lanes, [&](Value offset, int64_t width) {
        SmallVector<Value> at = {row, addIndex(b, column, offset)};
        Value sum = loadFloats(b, sums, {token, offset}, width);
        Value before = loadFloats(b, into, at, width);
        Value after = math::FmaOp::create(b, splat(b, weight, width), sum, before);
        storeFloats(b, after, into, at);
      });
    });
  }
};
} // namespace

LogicalResult CombineTile::emit(TileFunction &tile, moe::GroupedLinearOp linear) {
  auto &b = tile.b;
  auto combine = findHero<moe::CombineOp>(tile.kernel);
  if (!cast<MemRefType>(tile.getResult(0).data.getType()).getElementType().isF32())
    return tile.kernel.emitError()
           << "a kernel of the host that combines the slots of its product adds up in its result, "
              "which must be f32; disable fuse-down-combine";
  DotSizes sizes = DotSizes::get(tile);
  auto x = OperandReader::get(tile, linear.getX(), sizes.lanes);
  auto weight = OperandReader::get(tile, linear.getWeight(), sizes.lanes);
  auto epilogue = Epilogue::get(tile, combine, sizes.lanes, linear);
  auto tail = RowTail::get(tile);
  if (failed(x) || failed(weight) || failed(epilogue) || failed(tail))
    return failure();
  if (!combine.getRows() || linear.getRows() || combine.getY() != linear.getResult())
    return tile.kernel.emitError() << "a kernel that combines the slots of its product needs the "
                                      "combine's rows, and a product without";
  DotTile dot(tile, *x, *weight, sizes);

  int64_t columns = weight->getRows(), experts = moe::getShape(linear.getWeight().getType())[0];
  Value zero = constantIndex(b, 0), column = mulIndex(b, tile.getTile(), sizes.columns);
  Buffer result = tile.getResult(0);
  Target target{result.data, column, getColumnBlock(b, column, columns, sizes.columns),
                sizes.columns, sizes.lanes};
  forRange(b, zero, result.rows, 1, [&](Value row) { target.clear(b, row); });

  Value offsets = tile.getArgument(linear.getOffsets()).data;
  Value rows = tile.getArgument(combine.getRows()).data;
  Value weights = tile.getArgument(combine.getWeights()).data;
  Value topK = constantIndex(b, moe::getShape(combine.getWeights().getType())[1]);
  forRange(b, zero, constantIndex(b, experts), 1, [&](Value expert) {
    Value first = loadIndex(b, offsets, {expert});
    Value end = loadIndex(b, offsets, {addIndex(b, expert, 1)});
    forRange(b, first, end, sizes.tokens, [&](Value begin) {
      Value left = arith::SubIOp::create(b, end, begin);
      Value numTokens = arith::MinUIOp::create(b, left, constantIndex(b, sizes.tokens));
      dot.emit({.weightRow = column,
                .numRows = target.block.count,
                .numTokens = numTokens,
                .xColumn = zero,
                .source = [&](Value token) { return addIndex(b, begin, token); },
                .expert = expert,
                .aligned = weight->sharesScales(sizes.rows)});
      forRange(b, zero, numTokens, 1, [&](Value token) {
        Value pair = loadIndex(b, rows, {addIndex(b, begin, token)});
        Value row = arith::DivUIOp::create(b, pair, topK);
        Value choice = arith::RemUIOp::create(b, pair, topK);
        target.accumulate(b, row, loadFloat(b, weights, {row, choice}), dot.getSums(), token);
      });
    });
  });
  epilogue->emit({.sums = result.data,
                  .numTokens = result.rows,
                  .resultColumn = column,
                  .resultRow = [](Value row) { return row; },
                  .columns = sizes.columns,
                  .block = target.block,
                  .sumsColumn = column});
  // All tiles have all rows.
  Value tiles = constantIndex(b, llvm::divideCeil(columns, sizes.columns));
  return tail->emit({.block = zero, .numTiles = tiles, .firstRow = zero, .numRows = result.rows});
}
