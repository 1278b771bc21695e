#include "codegen/kernels/attention/HeadOutput.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/rows/RowParts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

/// Weight rows in flight.
static constexpr int64_t kRows = 4;

static std::optional<std::string> refuseProduct(moe::HeadLinearOp op) {
  auto attention = op.getX().getDefiningOp<moe::LatentAttentionOp>();
  if (!attention)
    return "the host's attention kernels multiply what the attention gives, nothing else";
  if (op.getTransposed() || op.getXOffset() != 0 || op.getHeads() != attention.getHeads())
    return "the host's attention kernels multiply whole heads by rows of the weight, not "
           "transposed";
  return std::nullopt;
}

static std::optional<std::string> refuseQuantize(moe::QuantizeOp op) {
  auto product = op.getX().getDefiningOp<moe::HeadLinearOp>();
  if (!product)
    return "the host's attention kernels quantize the product behind the attention, nothing else";
  int64_t heads = product.getHeads(), most = std::min(heads, kMostHeads);
  if (HeadOutput::endsBlocks(product, op, most))
    return std::nullopt;
  return "a tile's " + std::to_string(most * int64_t(product.getWSize())) +
         " columns end inside a block of " + std::to_string(op.getType().getScheme().getBlock()[1]);
}

bool HeadOutput::endsBlocks(moe::HeadLinearOp product, moe::QuantizeOp quantize, int64_t heads) {
  int64_t block = quantize.getType().getScheme().getBlock()[1], size = product.getWSize(),
          all = product.getHeads();
  return block && (all * size) % block == 0 && (heads >= all || (heads * size) % block == 0);
}

std::optional<std::string> HeadOutput::refuse(Operation *op) {
  if (auto product = dyn_cast<moe::HeadLinearOp>(op))
    return refuseProduct(product);
  if (auto quantize = dyn_cast<moe::QuantizeOp>(op))
    return refuseQuantize(quantize);
  return ("the host's attention kernels hold nothing but the attention, the product of its heads "
          "and the quantization of that; got " +
          op->getName().getStringRef())
      .str();
}

FailureOr<std::unique_ptr<HeadOutput>> HeadOutput::get(TileFunction &tile,
                                                       moe::LatentAttentionOp attention) {
  moe::HeadLinearOp product;
  moe::QuantizeOp quantize;
  for (Operation &op : attention->getBlock()->without_terminator()) {
    if (&op == attention)
      continue;
    bool second = (isa<moe::HeadLinearOp>(op) && product) || (isa<moe::QuantizeOp>(op) && quantize);
    if (auto reason = refuse(&op))
      return op.emitError() << *reason;
    if (second)
      return op.emitError() << "is the second of its kind in an attention kernel";
    if (auto linear = dyn_cast<moe::HeadLinearOp>(op))
      product = linear;
    else
      quantize = cast<moe::QuantizeOp>(op);
  }
  if (!product)
    return std::unique_ptr<HeadOutput>();
  auto weight = OperandReader::get(tile, product.getWeight(), tile.getScheduleSize("vector"));
  if (failed(weight))
    return failure();
  return std::unique_ptr<HeadOutput>(new HeadOutput(tile, product, quantize, *weight));
}

/// One token, and all heads of the tile side by side in the sums.
static DotSizes getDotSizes(const TileFunction &tile, int64_t size) {
  return {.lanes = tile.getScheduleSize("vector"),
          .columns = static_cast<int64_t>(llvm::alignTo(size, kRows)),
          .tokens = 1,
          .rows = kRows,
          .tokenGroup = 1,
          .depth = 1};
}

HeadOutput::HeadOutput(TileFunction &tile, moe::HeadLinearOp op, moe::QuantizeOp quantize,
                       OperandReader weight)
    : tile(tile), b(tile.b), op(op), quantize(quantize), lanes(tile.getScheduleSize("vector")),
      latent(weight.getColumns()), size(op.getWSize()),
      context(tile.allocate({1, latent}, b.getF32Type())), weight(weight),
      dot(tile, OperandReader::ofRows(tile, context, latent, lanes), weight,
          getDotSizes(tile, size), tile.getScheduleSize("heads") * size + kRows) {}

void HeadOutput::emitHead(Value token, Value head, Value local, Load load) {
  Value zero = constantIndex(b, 0);
  forColumns(b, latent, lanes, [&](Value column, int64_t width) {
    storeFloats(b, roundFloats(b, load(column, width), op.getX().getType()), context,
                {zero, column});
  });
  int64_t headRows = weight.getRows() / op.getHeads(), offset = op.getWOffset();
  Value begin = mulIndex(b, local, size);
  // What is computed of rows beyond the last lies where the next head's sums will.
  dot.emit({.weightRow = addIndex(b, mulIndex(b, head, headRows), offset),
            .numRows = constantIndex(b, size),
            .numTokens = constantIndex(b, 1),
            .xColumn = zero,
            .source = [&](Value) { return zero; },
            .expert = nullptr,
            .sumsColumn = begin,
            .aligned = weight.sharesScales(kRows) && headRows % kRows == 0 && offset % kRows == 0});
  if (quantize && !op.getType().getElementType().isF32())
    forColumns(b, size, lanes, [&](Value column, int64_t width) {
      Value at = arith::AddIOp::create(b, begin, column);
      Value sums = loadFloats(b, dot.getSums(), {zero, at}, width);
      storeFloats(b, roundFloats(b, sums, op.getType()), dot.getSums(), {zero, at});
    });
  Value resultColumn = mulIndex(b, head, size);
  for (unsigned result : tile.getResultsOf(op.getResult()))
    forColumns(b, size, lanes, [&](Value column, int64_t width) {
      Value from = arith::AddIOp::create(b, begin, column);
      storeFloats(b, loadFloats(b, dot.getSums(), {zero, from}, width), tile.getResult(result).data,
                  {token, arith::AddIOp::create(b, resultColumn, column).getResult()});
    });
}

void HeadOutput::finish(Value token, Value firstHead, Value count) {
  if (!quantize)
    return;
  int64_t block = quantize.getType().getScheme().getBlock()[1];
  RowRef from{dot.getSums(), {}, constantIndex(b, 0), 0, block};
  Value firstColumn = mulIndex(b, firstHead, size);
  for (unsigned index : tile.getResultsOf(quantize.getResult())) {
    Buffer result = tile.getResult(index);
    RowRef to{result.data, result.scales, token, 0, block};
    quantizeColumns(b, lanes, from, to, firstColumn, mulIndex(b, count, size), block);
  }
}
