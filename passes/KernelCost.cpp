#include "passes/KernelCost.h"

#include "dialects/moe/CacheRow.h"
#include "dialects/moe/MoeSamplingOps.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

static uint64_t rowsAt(kern::BoundsAttr bounds, const RowAnalysis &analysis, Value value) {
  std::array<uint64_t, 4> sizes = bounds.getSizes();
  return countRows(analysis.getRows(value), value.getType(), sizes);
}

static uint64_t getRowBytes(Value table) {
  return moe::getBytes(moe::withRows(table.getType(), 1));
}

static uint64_t getCacheRowBytes(Value cache) {
  return moe::getCacheRow(cast<moe::CacheType>(cache.getType())).bytes;
}

uint64_t moec::passes::getReadBytes(moe::HeadLinearOp product) {
  Type weight = product.getWeight().getType();
  uint64_t rows = moe::getShape(weight)[0];
  return moe::getBytes(weight) * (product.getHeads() * product.getWSize()) / rows;
}

/// Bytes of `value` that one use of it touches, cached context aside.
static uint64_t getUsedBytes(OpOperand &use, const RowAnalysis &analysis, kern::BoundsAttr bounds) {
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
      .Case([&](moe::SampleOp op) { // a chunk at least
        return value == op.getLogits() ? 4 * rowsOf(op.getIds()) * op.getChunk() : all;
      })
      .Case([&](moe::HeadLinearOp op) { return value == op.getWeight() ? getReadBytes(op) : all; })
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

KernelCost moec::passes::getCost(ArrayRef<Operation *> ops, const RowAnalysis &analysis,
                                 kern::BoundsAttr bounds) {
  llvm::SmallPtrSet<Operation *, 8> members(ops.begin(), ops.end());
  // The most that any use of an input touches: a gathered table may be read whole elsewhere.
  llvm::MapVector<Value, KernelCost> inputs;
  KernelCost cost;
  for (Operation *op : ops) {
    for (OpOperand &use : op->getOpOperands()) {
      Operation *def = use.get().getDefiningOp();
      if ((def && members.contains(def)) || isBlockTable(use.get().getType()))
        continue;
      KernelCost &input = inputs[use.get()];
      input.bytes = std::max(input.bytes, getUsedBytes(use, analysis, bounds));
      input.contextBytes = std::max(input.contextBytes, getContextBytes(use));
    }
    for (Value result : op->getResults())
      if (!isa<moe::CacheType>(result.getType()) &&
          llvm::any_of(result.getUsers(), [&](auto *user) { return !members.contains(user); }))
        cost.bytes += moe::getBytes(result.getType(), rowsAt(bounds, analysis, result));
    if (auto interface = dyn_cast<moe::CostInterface>(op))
      cost.flops += interface.getFlops(rowsAt(bounds, analysis, op->getResult(0)),
                                       bounds.getContextLength(), bounds.getSequences());
  }
  for (auto &[value, input] : inputs) {
    cost.bytes += input.bytes;
    cost.contextBytes += input.contextBytes;
  }
  return cost;
}

FailureOr<KernelCost> moec::passes::getKernelCost(kern::KernelOp kernel, kern::BoundsAttr bounds) {
  FailureOr<RowAnalysis> analysis = RowAnalysis::compute(kernel);
  if (failed(analysis))
    return failure();
  SmallVector<Operation *> ops;
  for (Operation &op : kernel.getBody().front().without_terminator())
    ops.push_back(&op);
  return getCost(ops, *analysis, bounds);
}
