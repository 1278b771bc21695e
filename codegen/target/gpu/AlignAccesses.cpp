// A walk over how index values are made: what power of two divides each.
#include "codegen/target/gpu/AlignAccesses.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::codegen;

/// More is never asked for.
static constexpr uint64_t kMost = 1024;

/// The largest power of two, at most kMost, that divides `value`.
static uint64_t getPowerOfTwo(uint64_t value) {
  return value ? std::min(value & -value, kMost) : kMost;
}

/// A power of two that divides an index.
static uint64_t getDivisor(Value index) {
  APInt constant;
  if (matchPattern(index, m_ConstantInt(&constant)))
    return getPowerOfTwo(constant.getZExtValue());
  if (auto argument = dyn_cast<BlockArgument>(index)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    if (loop && loop.getInductionVar() == index)
      return std::min(getDivisor(loop.getLowerBound()), getDivisor(loop.getStep()));
    return 1;
  }
  auto ofBoth = [](Value lhs, Value rhs) { return std::min(getDivisor(lhs), getDivisor(rhs)); };
  return llvm::TypeSwitch<Operation *, uint64_t>(index.getDefiningOp())
      .Case<arith::AddIOp, arith::SubIOp, arith::MinUIOp, arith::MaxUIOp, arith::RemUIOp>(
          [&](auto op) { return ofBoth(op.getLhs(), op.getRhs()); })
      .Case([&](arith::MulIOp op) {
        return std::min(getDivisor(op.getLhs()) * getDivisor(op.getRhs()), kMost);
      })
      .Case([&](arith::SelectOp op) { return ofBoth(op.getTrueValue(), op.getFalseValue()); })
      .Default(uint64_t(1));
}

/// The alignment in bytes of where a memref begins.
static uint64_t getBaseAlignment(Value memref, ArrayRef<uint64_t> alignments) {
  if (auto view = memref.getDefiningOp<memref::ViewOp>())
    return std::min<uint64_t>(getDivisor(view.getByteShift()), 64);
  auto argument = dyn_cast<BlockArgument>(memref);
  if (argument && argument.getArgNumber() < alignments.size())
    return alignments[argument.getArgNumber()];
  return kBufferAlignment;
}

static uint64_t getAlignment(Value memref, ValueRange indices, ArrayRef<uint64_t> alignments) {
  auto type = cast<MemRefType>(memref.getType());
  uint64_t bytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  uint64_t alignment = getBaseAlignment(memref, alignments);
  auto strides = type.getStridesAndOffset().first;
  for (auto [index, stride] : llvm::zip(indices, strides)) {
    uint64_t step = ShapedType::isDynamic(stride) ? 1 : getPowerOfTwo(stride);
    alignment = std::min(alignment, getDivisor(index) * step * bytes);
  }
  return alignment;
}

void moec::codegen::alignAccesses(func::FuncOp tile, ArrayRef<uint64_t> alignments) {
  auto align = [&](auto op) {
    uint64_t alignment = getAlignment(op.getBase(), op.getIndices(), alignments);
    uint64_t element =
        llvm::divideCeil(cast<MemRefType>(op.getBase().getType()).getElementTypeBitWidth(), 8);
    if (alignment > element)
      op.setAlignment(alignment);
  };
  tile.walk([&](Operation *op) {
    if (auto load = dyn_cast<vector::LoadOp>(op))
      align(load);
    else if (auto store = dyn_cast<vector::StoreOp>(op))
      align(store);
  });
}
