// Elementwise ops behind a matrix product.
#include "codegen/kernels/matmul/Epilogue.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/matmul/RowTail.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

std::optional<std::string> Epilogue::refuse(Operation *op) {
  if (isa<moe::AddOp>(op))
    return std::nullopt;
  return ("the host's matrix kernels can be followed by moe.add only, not by " +
          op->getName().getStringRef())
      .str();
}

FailureOr<Epilogue> Epilogue::get(TileFunction &tile, Operation *hero, const Team &team,
                                  Operation *feeder) {
  SmallVector<Operation *> tail = RowTail::getOps(tile.kernel);
  for (Operation &op : hero->getBlock()->without_terminator()) {
    if (&op == hero || &op == feeder || llvm::is_contained(tail, &op))
      continue;
    if (op.isBeforeInBlock(hero))
      return op.emitError() << "the host's matrix kernels have no prologue ops";
    if (auto reason = refuse(&op))
      return op.emitError() << *reason;
  }
  for (Value yielded : hero->getBlock()->getTerminator()->getOperands())
    if (!yielded.getDefiningOp() || yielded.getDefiningOp() == feeder)
      return tile.kernel.emitError() << "a matrix kernel yields what it computes, not an argument";
  Epilogue epilogue(tile, hero, team);
  for (Operation &op : hero->getBlock()->without_terminator())
    if (&op != feeder && !llvm::is_contained(tail, &op))
      epilogue.ops.push_back(&op);
  return epilogue;
}

void Epilogue::emit(const Range &range) const {
  auto &b = tile->b;
  forItems(b, team, constantIndex(b, 0), range.numTokens, [&](Value token, const Team &part) {
    range.block.forWidth(b, range.columns,
                         [&](int64_t columns) { emitColumns(range, token, columns, part); });
  });
}

void Epilogue::emitColumns(const Range &range, Value token, int64_t columns,
                           const Team &part) const {
  auto &b = tile->b;
  Value row = range.resultRow(token);
  forColumns(b, columns, part, [&](Value offset, int64_t width) {
    Value column = addIndex(b, range.resultColumn, offset);
    IRMapping values;
    Value source = range.sumsColumn ? addIndex(b, range.sumsColumn, offset) : offset;
    Value sum = loadFloats(b, range.sums, {token, source}, width);
    if (auto linear = dyn_cast<moe::LinearOp>(hero); linear && linear.getBias()) {
      Value bias = loadFloats(b, tile->getArgument(linear.getBias()).data, {column}, width);
      sum = arith::AddFOp::create(b, sum, bias);
    }
    // Every value is rounded as its type says, and all readers see it so.
    auto define = [&](Value result, Value computed) {
      values.map(result, roundFloats(b, computed, result.getType()));
    };
    define(hero->getResult(0), sum);
    auto get = [&](Value value) -> Value {
      if (!values.contains(value))
        values.map(value, loadFloats(b, tile->getArgument(value).data, {row, column}, width));
      return values.lookup(value);
    };
    for (Operation *op : ops)
      if (auto add = dyn_cast<moe::AddOp>(op))
        define(add.getResult(),
               arith::AddFOp::create(b, get(add.getLhs()), get(add.getRhs())).getResult());
    for (Operation *op : ops)
      for (unsigned result : tile->getResultsOf(op->getResult(0)))
        storeFloats(b, get(op->getResult(0)), tile->getResult(result).data, {row, column});
  });
}
