#include "codegen/kernels/attention/HeadOutput.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/matmul/SumLanes.h"
#include "codegen/kernels/rows/RowParts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

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
  int64_t block = op.getType().getScheme().getBlock()[1], size = product.getWSize(),
          heads = product.getHeads(), tile = std::min(heads, kMostHeads) * size;
  if (!block || (heads * size) % block || (heads > kMostHeads && tile % block))
    return "a tile's " + std::to_string(tile) + " columns end inside a block of " +
           std::to_string(block);
  return std::nullopt;
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

HeadOutput::HeadOutput(TileFunction &tile, moe::HeadLinearOp op, moe::QuantizeOp quantize,
                       OperandReader weight)
    : tile(tile), b(tile.b), op(op), quantize(quantize), weight(weight),
      lanes(tile.getScheduleSize("vector")), latent(weight.getColumns()), size(op.getWSize()) {
  Type f32 = b.getF32Type();
  context = tile.allocate({1, static_cast<int64_t>(llvm::alignTo(latent, weight.getStep()))}, f32);
  values = tile.allocate({tile.getScheduleSize("heads") * size + kRows}, f32);
}

/// The head's context in the order in which the weight's chunks come, zeros behind it.
void HeadOutput::stageContext(Load load) {
  Value zero = constantIndex(b, 0);
  int64_t padded = llvm::alignTo(latent, weight.getStep());
  forColumns(b, latent, lanes, [&](Value column, int64_t width) {
    storeFloats(b, load(column, width), context, {zero, column});
  });
  for (int64_t column = latent; column < padded; ++column)
    storeFloat(b, constantFloat(b, 0), context, {zero, constantIndex(b, column)});
  if (weight.getOrder() == ChunkOrder::Halves)
    return;
  forRange(b, zero, constantIndex(b, padded), weight.getStep(), [&](Value column) {
    Value other = addIndex(b, column, lanes);
    Chunk chunk{loadFloats(b, context, {zero, column}, lanes),
                loadFloats(b, context, {zero, other}, lanes)};
    chunk = reorder(b, chunk, ChunkOrder::Halves, weight.getOrder());
    storeFloats(b, chunk.first, context, {zero, column});
    storeFloats(b, chunk.second, context, {zero, other});
  });
}

/// values[to ...] = context . weight[row ...], kRows of them; the last row stands in for those
/// behind it.
void HeadOutput::emitRows(Value row, Value lastRow, Value to) {
  using Carry = OperandReader::Carry;
  Value zero = constantIndex(b, 0);
  Carry rows;
  for (int64_t r = 0; r < kRows; ++r)
    rows.push_back(arith::MinUIOp::create(b, addIndex(b, row, r), lastRow));
  auto chunk = [&](Value column, int64_t count, ValueRange carried) {
    auto part = [&](int64_t shift) {
      return loadFloats(b, context, {zero, addIndex(b, column, shift)}, lanes);
    };
    Value first = part(0), second = part(lanes);
    Carry next(carried);
    for (int64_t r = 0; r < kRows; ++r) {
      Chunk weights = weight.unpack(weight.loadStored(rows[r], column, count), /*exactNan=*/true);
      next[2 * r] = math::FmaOp::create(b, weights.first, first, next[2 * r]);
      next[2 * r + 1] = math::FmaOp::create(b, weights.second, second, next[2 * r + 1]);
    }
    return next;
  };
  auto block = [&](Value begin, int64_t length, Value index, ValueRange carried) {
    Carry sums =
        weight.forChunks(length, Carry(2 * kRows, constantFloat(b, 0, lanes)),
                         [&](Value offset, int64_t count, ValueRange carried) {
                           return chunk(arith::AddIOp::create(b, begin, offset), count, carried);
                         });
    Carry next;
    for (int64_t r = 0; r < kRows; ++r) {
      Value sum = arith::AddFOp::create(b, sums[2 * r], sums[2 * r + 1]);
      if (weight.isQuantized())
        sum = arith::MulFOp::create(b, sum, splat(b, weight.loadScale(rows[r], index), lanes));
      next.push_back(arith::AddFOp::create(b, carried[r], sum));
    }
    return next;
  };
  Carry totals = weight.forBlocks(zero, latent, Carry(kRows, constantFloat(b, 0, lanes)), block);
  storeFloats(b, sumLanes(b, totals), values, {to});
}

void HeadOutput::emitHead(Value token, Value head, Value local, Load load) {
  stageContext(load);
  int64_t headRows = weight.getRows() / op.getHeads();
  Value firstRow = addIndex(b, mulIndex(b, head, headRows), op.getWOffset());
  Value lastRow = addIndex(b, firstRow, size - 1);
  Value begin = mulIndex(b, local, size);
  // What is computed of rows beyond the last lies where the next head's values will.
  forRange(b, constantIndex(b, 0), constantIndex(b, size), kRows, [&](Value row) {
    emitRows(arith::AddIOp::create(b, firstRow, row), lastRow,
             arith::AddIOp::create(b, begin, row));
  });
  Value resultColumn = mulIndex(b, head, size);
  for (unsigned result : tile.getResultsOf(op.getResult()))
    forColumns(b, size, lanes, [&](Value column, int64_t width) {
      Value from = arith::AddIOp::create(b, begin, column);
      storeFloats(b, loadFloats(b, values, {from}, width), tile.getResult(result).data,
                  {token, arith::AddIOp::create(b, resultColumn, column).getResult()});
    });
}

void HeadOutput::finish(Value token, Value firstHead, Value count) {
  if (!quantize)
    return;
  int64_t block = quantize.getType().getScheme().getBlock()[1];
  RowRef from{values, {}, {}, 0, block};
  Value firstColumn = mulIndex(b, firstHead, size);
  for (unsigned index : tile.getResultsOf(quantize.getResult())) {
    Buffer result = tile.getResult(index);
    RowRef to{result.data, result.scales, token, 0, block};
    quantizeColumns(b, lanes, from, to, firstColumn, mulIndex(b, count, size), block);
  }
}
