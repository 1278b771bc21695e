// Where rows lie, and the order of the program. The ops are in RowOps.cpp.
#include "codegen/kernels/rows/RowProgram.h"

#include "codegen/kernels/Vectors.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

std::optional<std::string> RowProgram::refuse(Operation *op) {
  if (auto rope = dyn_cast<moe::RopeOp>(op); rope && !rope.getTable())
    return "a rope needs its table; run attach-rope-tables first";
  if (auto quantize = dyn_cast<moe::QuantizeOp>(op))
    if (quantize.getType().getShape().size() != 2)
      return "only activations (two axes) are quantized at run time";
  if (isa<moe::AddOp, moe::SwigluOp, moe::RmsNormOp, moe::SliceOp, moe::ConcatOp, moe::QuantizeOp,
          moe::DequantizeOp, moe::EmbeddingOp, moe::GatherRowsOp, moe::CombineOp, moe::RopeOp,
          moe::CacheAppendOp, moe::GateOp>(op))
    return std::nullopt;
  return (op->getName().getStringRef() + " is no row-wise op that kernels compute a row at a time")
      .str();
}

/// Columns of a row: the size of the last axis.
static int64_t getColumns(Type type) {
  ArrayRef<int64_t> shape = moe::getShape(type);
  return shape.size() == 1 ? 1 : shape.back();
}

RowProgram::RowProgram(TileFunction &tile, ArrayRef<Operation *> ops)
    : tile(tile), b(tile.b), team(tile.getTeam()), ops(ops) {
  for (Operation *op : ops) {
    if (auto gate = dyn_cast<moe::GateOp>(op))
      gates[op] = std::make_unique<GateEmitter>(tile, gate);
    if (isa<moe::SliceOp>(op))
      continue; // a view
    for (Value result : op->getResults()) {
      if (isa<moe::CacheType>(result.getType()) || !tile.getResultsOf(result).empty())
        continue;
      RowRef ref;
      ref.columns = getColumns(result.getType());
      if (auto quantized = dyn_cast<moe::QTensorType>(result.getType())) {
        ref.data = tile.allocate({ref.columns}, quantized.getScheme().getStorage());
        auto scales = quantized.getScalesType();
        ref.scales = tile.allocate({scales.getShape().back()}, scales.getElementType());
      } else {
        ref.data =
            tile.allocate({ref.columns}, cast<RankedTensorType>(result.getType()).getElementType());
      }
      workspace[result] = ref;
    }
  }
}

RowRef RowProgram::getRowOf(const Buffer &buffer, Type type, Value row) {
  return {buffer.data, buffer.scales, row, 0, getColumns(type)};
}

RowRef RowProgram::get(Value value) {
  if (auto found = bound.find(value); found != bound.end())
    return found->second;
  if (auto slice = value.getDefiningOp<moe::SliceOp>()) {
    RowRef ref = get(slice.getX());
    ref.offset += slice.getOffset();
    ref.columns = getColumns(slice.getType());
    return ref;
  }
  if (Buffer buffer = tile.getArgument(value))
    return getRowOf(buffer, value.getType(), row);
  SmallVector<unsigned> results = tile.getResultsOf(value);
  assert(!results.empty() && "a row program reads arguments, results, bound values and its own");
  return getRowOf(tile.getResult(results.front()), value.getType(), row);
}

RowRef RowProgram::getDestination(Value value) {
  RowRef ref;
  if (auto results = tile.getResultsOf(value); !results.empty())
    ref = getRowOf(tile.getResult(results.front()), value.getType(), row);
  else
    ref = workspace.lookup(value);
  bound[value] = ref;
  return ref;
}

LogicalResult RowProgram::emit(Value newRow) {
  row = newRow;
  for (Operation *op : ops) {
    if (failed(emitOp(op)))
      return failure();
    barrier(b, team); // the next op's threads may read what other threads have written
  }
  // What is yielded more than once, or is a view, has yet to be copied.
  for (Operation *op : ops)
    for (Value value : op->getResults()) {
      if (isa<moe::CacheType>(value.getType()))
        continue;
      SmallVector<unsigned> results = tile.getResultsOf(value);
      bool isView = isa<moe::SliceOp>(op);
      for (unsigned result : ArrayRef(results).drop_front(isView || results.empty() ? 0 : 1))
        copy(get(value), getRowOf(tile.getResult(result), value.getType(), row));
    }
  return success();
}
