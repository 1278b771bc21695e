#include "passes/KernelCost.h"

#include "passes/RowAnalysis.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

static uint64_t rowsAt(const Bounds &bounds, const RowAnalysis &analysis, Value value) {
  std::array<uint64_t, 4> sizes = bounds.getSizes();
  return countRows(analysis.getRows(value), value.getType(), sizes);
}

static uint64_t getRowBytes(Value table) {
  return moe::getBytes(moe::withRows(table.getType(), 1));
}

static uint64_t getCacheRowBytes(Value cache) {
  auto type = cast<moe::CacheType>(cache.getType());
  return type.getWidth() * type.getElementType().getIntOrFloatBitWidth() / 8;
}

/// Bytes of `value` that one use of it touches, cached context aside.
static uint64_t getUsedBytes(OpOperand &use, const RowAnalysis &analysis, const Bounds &bounds) {
  Value value = use.get();
  auto rowsOf = [&](Value other) { return rowsAt(bounds, analysis, other); };
  bool isCache = isa<moe::CacheType>(value.getType());
  uint64_t all = isCache ? 0 : moe::getBytes(value.getType(), rowsOf(value));
  return llvm::TypeSwitch<Operation *, uint64_t>(use.getOwner())
      .Case([&](moe::EmbeddingOp op) {
        return value == op.getTable() ? rowsOf(op.getIds()) * getRowBytes(value) : all;
      })
      .Case([&](moe::GatherRowsOp op) {
        return value == op.getX() ? rowsOf(op.getRows()) * getRowBytes(value) : all;
      })
      .Case([&](moe::RopeOp op) {
        return value == op.getTable() ? rowsOf(op.getX()) * getRowBytes(value) : all;
      })
      .Case([&](moe::GroupedLinearOp op) {
        if (value != op.getWeight())
          return all;
        uint64_t experts = moe::getShape(value.getType())[0];
        return all / experts * std::min(experts, rowsOf(op.getResult()));
      })
      .Case([&](moe::CacheAppendOp op) {
        return isCache ? rowsOf(op.getRows()) * getCacheRowBytes(value) : all;
      })
      .Default(all);
}

/// Bytes that one use of `value` reads for each cached token.
static uint64_t getContextBytes(OpOperand &use) {
  bool reads = isa<moe::CacheType>(use.get().getType()) && !isa<moe::CacheAppendOp>(use.getOwner());
  return reads ? getCacheRowBytes(use.get()) : 0;
}

static bool isBlockTable(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && llvm::any_of(tensor.getShape().drop_front(), ShapedType::isDynamic);
}

FailureOr<KernelCost> moec::passes::getKernelCost(kern::KernelOp kernel, const Bounds &bounds) {
  FailureOr<RowAnalysis> analysis = RowAnalysis::compute(kernel);
  if (failed(analysis))
    return failure();
  KernelCost cost;
  for (BlockArgument argument : kernel.getBody().getArguments()) {
    uint64_t bytes = 0, contextBytes = 0;
    if (!isBlockTable(argument.getType()))
      for (OpOperand &use : argument.getUses()) {
        bytes = std::max(bytes, getUsedBytes(use, *analysis, bounds));
        contextBytes = std::max(contextBytes, getContextBytes(use));
      }
    cost.bytes += bytes;
    cost.contextBytes += contextBytes;
  }
  for (Value result : kernel.getYielded())
    if (!isa<moe::CacheType>(result.getType()))
      cost.bytes += moe::getBytes(result.getType(), rowsAt(bounds, *analysis, result));
  for (Operation &op : kernel.getBody().front())
    if (auto interface = dyn_cast<moe::CostInterface>(op))
      cost.flops += interface.getFlops(rowsAt(bounds, *analysis, op.getResult(0)), bounds.context);
  return cost;
}
