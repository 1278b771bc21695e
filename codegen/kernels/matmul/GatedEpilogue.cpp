// SwiGLU and quantization behind a product.
#include "codegen/kernels/matmul/GatedEpilogue.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/rows/RowParts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <numeric>

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

/// Widest quantization block that a tile's columns may come to.
constexpr int64_t kMaxBlock = 256;

static moe::SwigluOp findSwiglu(kern::KernelOp kernel) {
  auto ops = kernel.getBody().front().getOps<moe::SwigluOp>();
  return ops.empty() ? moe::SwigluOp() : *ops.begin();
}

bool GatedEpilogue::matches(kern::KernelOp kernel) { return static_cast<bool>(findSwiglu(kernel)); }

int64_t GatedEpilogue::getColumns(kern::KernelOp kernel) {
  return moe::getShape(findSwiglu(kernel).getType()).back();
}

static int64_t getBlock(moe::QuantizeOp quantize) {
  return cast<moe::QTensorType>(quantize.getType()).getScheme().getBlock()[1];
}

int64_t GatedEpilogue::getColumnMultiple(kern::KernelOp kernel) {
  int64_t multiple = 1;
  for (auto quantize : kernel.getBody().front().getOps<moe::QuantizeOp>())
    multiple = std::lcm(multiple, std::max<int64_t>(getBlock(quantize), 1));
  return multiple;
}

/// Whether `op` is a product that a gate may follow.
static bool isProduct(Operation *op) {
  auto linear = dyn_cast_or_null<moe::LinearOp>(op);
  return (linear && !linear.getBias()) || isa_and_present<moe::GroupedLinearOp>(op);
}

/// Whether `swiglu` is applied to the two halves of one product; then `layout` says where they are.
static bool readLayout(moe::SwigluOp swiglu, GatedEpilogue::Layout &layout) {
  Value gate = swiglu.getGate(), up = swiglu.getUp();
  if (auto parts = gate.getDefiningOp<moe::DeinterleaveOp>()) {
    layout.block = parts.getBlock();
    return isProduct(parts.getX().getDefiningOp()) && parts.getNumResults() == 2 &&
           gate == parts->getResult(0) && up == parts->getResult(1);
  }
  auto gates = gate.getDefiningOp<moe::SliceOp>(), ups = up.getDefiningOp<moe::SliceOp>();
  if (!gates || !ups || gates.getX() != ups.getX() || !isProduct(gates.getX().getDefiningOp()))
    return false;
  layout = {int64_t(gates.getOffset()), int64_t(ups.getOffset()), 0};
  return true;
}

std::optional<std::string> GatedEpilogue::refuse(Operation *op) {
  if (isa<moe::SliceOp, moe::DeinterleaveOp>(op)) {
    if (isProduct(op->getOperand(0).getDefiningOp()))
      return std::nullopt;
    return "the host's matrix kernels slice nothing but their product, and that without a bias";
  }
  if (auto swiglu = dyn_cast<moe::SwigluOp>(op)) {
    Layout layout;
    if (readLayout(swiglu, layout))
      return std::nullopt;
    return "the host's matrix kernels apply moe.swiglu to two slices of their product only";
  }
  auto quantize = cast<moe::QuantizeOp>(op);
  if (!quantize.getX().getDefiningOp<moe::SwigluOp>())
    return "the host's matrix kernels quantize the result of moe.swiglu only";
  int64_t block = getBlock(quantize);
  if (block < 1 || block > kMaxBlock)
    return "a tile of the host's matrix kernels has at most " + std::to_string(kMaxBlock) +
           " columns; one scale is for " + (block ? std::to_string(block) : "all") + " columns";
  return std::nullopt;
}

FailureOr<GatedEpilogue> GatedEpilogue::get(TileFunction &tile, Operation *hero, const Team &team) {
  GatedEpilogue epilogue(tile, team);
  epilogue.swiglu = findSwiglu(tile.kernel);
  for (Operation &op : hero->getBlock()->without_terminator()) {
    if (&op == hero)
      continue;
    if (op.isBeforeInBlock(hero))
      return op.emitError() << "the host's matrix kernels have no prologue ops";
    bool isGated = isa<moe::SliceOp, moe::DeinterleaveOp, moe::SwigluOp, moe::QuantizeOp>(op);
    if (!isGated || (isa<moe::SwigluOp>(op) && &op != epilogue.swiglu.getOperation()))
      return op.emitError() << "a matrix kernel with moe.swiglu has moe.slice, one moe.swiglu and "
                               "moe.quantize behind its product, nothing else";
    if (auto reason = refuse(&op))
      return op.emitError() << *reason;
    if (auto quantize = dyn_cast<moe::QuantizeOp>(op))
      epilogue.quantizes.push_back(quantize);
  }
  for (Value yielded : hero->getBlock()->getTerminator()->getOperands())
    if (!isa_and_present<moe::SwigluOp, moe::QuantizeOp>(yielded.getDefiningOp()))
      return tile.kernel.emitError()
             << "a matrix kernel with moe.swiglu yields its result and quantizations of that";
  readLayout(epilogue.swiglu, epilogue.layout);
  return epilogue;
}

GatedEpilogue::Rows GatedEpilogue::findRows(Value column) const {
  auto &b = tile->b;
  if (!layout.block)
    return {addIndex(b, column, layout.gateOffset),
            constantIndex(b, layout.upOffset - layout.gateOffset)};
  // The last block may be short: what its gates gate is nearer then.
  int64_t columns = getColumns(tile->kernel);
  Value inside = arith::RemUIOp::create(b, column, constantIndex(b, layout.block));
  Value begin = arith::SubIOp::create(b, column, inside);
  Value left = arith::SubIOp::create(b, constantIndex(b, columns), begin);
  return {addIndex(b, mulIndex(b, begin, 2), inside),
          arith::MinUIOp::create(b, left, constantIndex(b, layout.block))};
}

void GatedEpilogue::emit(const Team &part, const Row &row) const {
  auto &b = tile->b;
  RowRef gate{row.sums, {}, row.token, 0, row.columns};
  RowRef up{row.sums, {}, row.token, row.upColumn, row.columns};
  auto resultRow = [&](unsigned index) {
    Buffer buffer = tile->getResult(index);
    return RowRef{buffer.data, buffer.scales, row.row, 0, row.columns, row.column};
  };
  moe::SwigluOp op = swiglu;
  swigluRow(b, part, gate, up, /*result=*/gate, op);
  barrier(b, part);
  for (unsigned index : tile->getResultsOf(op.getResult())) {
    RowRef result = resultRow(index);
    forColumns(b, row.columns, part, [&](Value column, int64_t width) {
      result.store(b, column, gate.load(b, column, width));
    });
  }
  for (moe::QuantizeOp quantize : quantizes)
    for (unsigned index : tile->getResultsOf(quantize.getResult())) {
      RowRef result = resultRow(index);
      int64_t block = getBlock(quantize);
      result.startBlock = arith::DivUIOp::create(b, row.column, constantIndex(b, block));
      quantizeRow(b, part, gate, result, block);
    }
}
