// moe.linear on the host: a tile is a block of output columns for a block of tokens.
#include "codegen/kernels/Emitter.h"
#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/matmul/ProductTile.h"
#include "codegen/kernels/matmul/RowTail.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

namespace {

class MatmulEmitter : public MatrixEmitter {
public:
  std::optional<std::string> refuseFusion(Operation *op, bool before) const override {
    return before ? MatrixEmitter::refuseFusion(op, before) : ProductTile::refuse(op);
  }

  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    auto linear = findHero<moe::LinearOp>(kernel);
    int64_t columns = moe::getShape(linear.getWeight().getType())[0];
    SmallVector<Candidate> candidates = ProductTile::getCandidates(kernel, machine, columns);
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
                               /*cap=*/0, ProductTile::countBlocks(kernel, columns));
  }

  LogicalResult emit(TileFunction &tile) const override {
    auto &b = tile.b;
    auto linear = findHero<moe::LinearOp>(tile.kernel);
    auto product = ProductTile::get(tile, linear, linear.getX(), linear.getWeight());
    if (failed(product))
      return failure();
    auto tail = RowTail::get(tile);
    if (failed(tail))
      return failure();

    // Tiles of one block of tokens follow each other: they read the same activations.
    int64_t columns = moe::getShape(linear.getWeight().getType())[0];
    int64_t size = product->getSizes().tokens;
    Value blocks = constantIndex(b, ProductTile::countBlocks(tile.kernel, columns));
    Value token = mulIndex(b, arith::DivUIOp::create(b, tile.getTile(), blocks), size);
    Value left = arith::SubIOp::create(b, tile.getResult(0).rows, token);
    auto row = [&](Value t) { return addIndex(b, token, t); };
    Value rowBlock = arith::DivUIOp::create(b, tile.getTile(), blocks);
    Value numTokens = arith::MinUIOp::create(b, left, constantIndex(b, size));
    product->emit({.block = arith::RemUIOp::create(b, tile.getTile(), blocks),
                   .numTokens = numTokens,
                   .source = row,
                   .resultRow = row,
                   .expert = nullptr});
    return tail->emit(
        {.block = rowBlock, .numTiles = blocks, .firstRow = token, .numRows = numTokens});
  }
};

} // namespace

const KernelEmitter &moec::codegen::getMatmulEmitter() {
  static MatmulEmitter emitter;
  return emitter;
}
