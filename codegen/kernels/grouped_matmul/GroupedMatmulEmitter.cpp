// moe.grouped_linear on the host: a tile is a block of output columns of one expert
// that has tokens, for all of its tokens.
#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/grouped_matmul/CombineTile.h"
#include "codegen/kernels/matmul/ProductTile.h"
#include "codegen/kernels/matmul/RowTail.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

namespace {

/// Slots of one expert.
struct Expert {
  Value index, begin, end; // end == begin: the tile has nothing to do
};

/// The `ordinal`-th of the experts that have slots; one without slots when there are fewer.
Expert findExpert(ImplicitLocOpBuilder &b, Value offsets, Value ordinal) {
  Value zero = constantIndex(b, 0);
  int64_t experts = cast<MemRefType>(offsets.getType()).getDimSize(0) - 1;
  // Carried: experts with slots so far, the end of the slots so far, and the expert found.
  SmallVector<Value> init = {zero, loadIndex(b, offsets, {zero}), zero, zero, zero};
  auto found =
      forRange(b, zero, constantIndex(b, experts), 1, init, [&](Value expert, ValueRange carried) {
        Value begin = carried[1], end = loadIndex(b, offsets, {addIndex(b, expert, 1)});
        Value used = arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, end, begin);
        Value here = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, carried[0], ordinal);
        here = arith::AndIOp::create(b, here, used);
        auto choose = [&](Value value, Value otherwise) -> Value {
          return arith::SelectOp::create(b, here, value, otherwise);
        };
        Value count = arith::SelectOp::create(b, used, addIndex(b, carried[0], 1), carried[0]);
        return SmallVector<Value>{count, end, choose(expert, carried[2]), choose(begin, carried[3]),
                                  choose(end, carried[4])};
      });
  return {found[2], found[3], found[4]};
}

class GroupedMatmulEmitter : public MatrixEmitter {
public:
  std::optional<std::string> refuseFusion(Operation *op, bool before) const override {
    if (!before && isa<moe::CombineOp>(op))
      return CombineTile::refuse(op);
    return before ? MatrixEmitter::refuseFusion(op, before) : ProductTile::refuse(op);
  }

  SmallVector<Candidate> getCandidates(kern::KernelOp kernel,
                                       const Machine &machine) const override {
    SmallVector<Candidate> candidates =
        ProductTile::getCandidates(kernel, machine, getWeightShape(kernel)[1]);
    RowTail::addCounters(kernel, candidates);
    return candidates;
  }

  std::optional<std::string> refuseRowEpilogue(Operation *op, uint64_t rows) const override {
    return CombineTile::refuseRowEpilogue(op, rows);
  }

  kern::GridAttr getGrid(kern::KernelOp kernel) const override {
    ArrayRef<int64_t> shape = getWeightShape(kernel);
    if (CombineTile::matches(kernel))
      return CombineTile::getGrid(kernel, shape[1]);
    auto [dim, multiplier] = getRows(kernel);
    // No more experts can have slots than there are slots.
    return kern::GridAttr::get(kernel.getContext(), dim, multiplier, /*divisor=*/1,
                               /*cap=*/shape[0], ProductTile::countBlocks(kernel, shape[1]));
  }

  LogicalResult emit(TileFunction &tile) const override {
    auto &b = tile.b;
    auto linear = findHero<moe::GroupedLinearOp>(tile.kernel);
    if (CombineTile::matches(tile.kernel))
      return CombineTile::emit(tile, linear);
    auto product = ProductTile::get(tile, linear, linear.getX(), linear.getWeight());
    if (failed(product))
      return failure();

    int64_t size = product->getSizes().tokens;
    Value blocks =
        constantIndex(b, ProductTile::countBlocks(tile.kernel, getWeightShape(tile.kernel)[1]));
    Value block = arith::RemUIOp::create(b, tile.getTile(), blocks);
    Value ordinal = arith::DivUIOp::create(b, tile.getTile(), blocks);
    Expert expert = findExpert(b, tile.getArgument(linear.getOffsets()).data, ordinal);
    Value rows = linear.getRows() ? tile.getArgument(linear.getRows()).data : Value();

    forRange(b, expert.begin, expert.end, size, [&](Value begin) {
      Value left = arith::SubIOp::create(b, expert.end, begin);
      auto slot = [&](Value token) { return addIndex(b, begin, token); };
      auto source = [&](Value token) -> Value {
        if (!rows)
          return slot(token);
        Value pair = loadIndex(b, rows, {slot(token)});
        return arith::DivUIOp::create(b, pair, constantIndex(b, linear.getTopK()));
      };
      product->emit({.block = block,
                     .numTokens = arith::MinUIOp::create(b, left, constantIndex(b, size)),
                     .source = source,
                     .resultRow = slot,
                     .expert = expert.index});
    });
    return success();
  }

private:
  static ArrayRef<int64_t> getWeightShape(kern::KernelOp kernel) {
    return moe::getShape(findHero<moe::GroupedLinearOp>(kernel).getWeight().getType());
  }
};

} // namespace

const KernelEmitter &moec::codegen::getGroupedMatmulEmitter() {
  static GroupedMatmulEmitter emitter;
  return emitter;
}
