// The last tile of a block of rows.
#include "codegen/kernels/matmul/RowTail.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

/// Row blocks that a kernel can tell apart, and rows of one at least (the schedule's `tokens`).
static constexpr int64_t kCounters = 64, kBlockRows = 256;

using OpSet = llvm::SmallPtrSet<Operation *, 8>;

/// Whether a tile computes `op` for its own columns, given the ops that need whole rows so far. Its
/// users are not known yet.
static bool isOfTile(Operation *op, const OpSet &rowOps) {
  bool readsRows = llvm::any_of(op->getOperands(), [&](Value operand) {
    return operand.getDefiningOp() && rowOps.contains(operand.getDefiningOp());
  });
  if (readsRows)
    return false;
  // Slices and quantization belong to the tile with the swiglu between them.
  auto isSwiglu = [](Operation *other) { return isa_and_present<moe::SwigluOp>(other); };
  if (isa<moe::SliceOp, moe::DeinterleaveOp>(op))
    return llvm::any_of(op->getUsers(), isSwiglu);
  if (auto quantize = dyn_cast<moe::QuantizeOp>(op))
    return isSwiglu(quantize.getX().getDefiningOp());
  return isa<moe::LinearOp, moe::GroupedLinearOp, moe::HeadLinearOp, moe::CombineOp, moe::AddOp,
             moe::SwigluOp>(op);
}

SmallVector<Operation *> RowTail::getOps(kern::KernelOp kernel) {
  OpSet rowOps;
  SmallVector<Operation *> ops;
  for (Operation &op : kernel.getBody().front().without_terminator())
    if (!isOfTile(&op, rowOps)) {
      rowOps.insert(&op);
      ops.push_back(&op);
    }
  return ops;
}

std::optional<std::string> RowTail::refuse(Operation *op, int64_t rows) {
  if (isa<moe::SwigluOp, moe::CombineOp, moe::GatherRowsOp, moe::EmbeddingOp>(op))
    return (op->getName().getStringRef() + " is nothing that the last tile of a row block computes")
        .str();
  if (isa<moe::PermuteOp>(op)) {
    if (rows <= kBlockRows)
      return std::nullopt;
    return "the last tile of a row block sees " + std::to_string(kBlockRows) +
           " rows, a permutation needs all";
  }
  if (rows > kCounters * kBlockRows)
    return "the host's kernels count at most " + std::to_string(kCounters * kBlockRows) + " rows";
  return RowProgram::refuse(op);
}

void RowTail::addCounters(kern::KernelOp kernel, SmallVectorImpl<Candidate> &candidates) {
  if (getOps(kernel).empty())
    return;
  Builder builder(kernel.getContext());
  for (Candidate &candidate : candidates) {
    NamedAttrList sizes(candidate.schedule.getSizes());
    sizes.set("counters", builder.getI64IntegerAttr(kCounters));
    candidate.schedule =
        kern::ScheduleAttr::get(kernel.getContext(), sizes.getDictionary(kernel.getContext()));
  }
}

FailureOr<RowTail> RowTail::get(TileFunction &tile) {
  SmallVector<Operation *> ops = getOps(tile.kernel);
  OpSet members(ops.begin(), ops.end());
  for (Operation *op : ops)
    for (Value operand : op->getOperands())
      if (Operation *def = operand.getDefiningOp();
          def && !members.contains(def) && tile.getResultsOf(operand).empty())
        return op->emitError()
               << "reads what a tile computes, which must be a result of the kernel";
  if (!ops.empty() && !tile.getCounters())
    return tile.kernel.emitError() << "the schedule of a kernel with ops on whole rows needs "
                                      "counters; assign-schedules gives them";
  return RowTail(tile, ops);
}

RowTail::RowTail(TileFunction &tile, ArrayRef<Operation *> ops)
    : tile(&tile), isEmpty(ops.empty()) {
  SmallVector<Operation *> rowOps;
  for (Operation *op : ops) {
    if (auto permute = dyn_cast<moe::PermuteOp>(op))
      sorts.emplace_back(tile, permute);
    else
      rowOps.push_back(op);
  }
  program = std::make_unique<RowProgram>(tile, rowOps);
}

LogicalResult RowTail::emit(const Range &range) {
  if (isEmpty)
    return success();
  auto &b = tile->b;
  Value counters = tile->getCounters();
  // Orders this tile's stores before its count, and all of the others' before the last one's loads.
  Value before = memref::AtomicRMWOp::create(
      b, arith::AtomicRMWKind::addi, arith::ConstantIntOp::create(b, 1, 32), counters, range.block);
  before = arith::IndexCastOp::create(b, b.getIndexType(), before);
  Value isLast =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, addIndex(b, before, 1), range.numTiles);
  auto result = success();
  ifThen(b, isLast, [&] {
    memref::StoreOp::create(b, arith::ConstantIntOp::create(b, 0, 32), counters, range.block);
    forRange(b, constantIndex(b, 0), range.numRows, 1,
             [&](Value i) { result = program->emit(arith::AddIOp::create(b, range.firstRow, i)); });
    for (Sort &sort : sorts)
      sort.emit();
  });
  return result;
}
