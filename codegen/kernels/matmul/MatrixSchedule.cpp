// Fusion and schedules of the matrix kernels.
#include "codegen/kernels/matmul/MatrixSchedule.h"

#include "codegen/kernels/KernelUses.h"
#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/matmul/DotTile.h"
#include "codegen/kernels/matmul/Epilogue.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/SmallSet.h"

#include <numeric>

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

std::optional<std::string> MatrixEmitter::refuseFusion(Operation *op, bool before) const {
  if (before)
    return "the host's matrix kernels read their operands from memory";
  return Epilogue::refuse(op);
}

int64_t moec::codegen::getBlockMultiple(kern::KernelOp kernel) {
  int64_t multiple = 32;
  for (Type type : kernel.getArgumentTypes())
    if (moe::QuantSchemeAttr scheme = moe::getScheme(type))
      if (int64_t columns = scheme.getBlock()[1])
        multiple = std::lcm(multiple, columns);
  return multiple;
}

int64_t moec::codegen::getPanelDepth(kern::KernelOp kernel, const Machine &machine,
                                     int64_t panelRows, int64_t rows, int64_t group) {
  int64_t depth = std::min(machine.level1Bytes * 3 / 4 / ((rows + group) * 4),
                           machine.level2Bytes / 2 / (panelRows * 4));
  int64_t multiple = getBlockMultiple(kernel);
  return std::max(depth / multiple, int64_t(1)) * multiple;
}

int64_t moec::codegen::getTokenGroup(const Machine &machine) {
  return machine.vectorRegisters >= 32 && machine.floatLanes() >= 16 ? 4 : 2;
}

/// The sizes of the inner loops.
static DotSizes getInnerSizes(kern::KernelOp kernel, const Machine &machine) {
  DotSizes sizes{};
  sizes.lanes = machine.floatLanes();
  sizes.rows = 4;
  sizes.tokenGroup = getTokenGroup(machine);
  // A register tile's operands stay in the first cache beside what passes through.
  sizes.depth = getPanelDepth(kernel, machine, /*panelRows=*/64, sizes.rows, sizes.tokenGroup);
  return sizes;
}

SmallVector<Candidate> moec::codegen::getDotCandidates(kern::KernelOp kernel,
                                                       const Machine &machine, int64_t columns) {
  DotSizes inner = getInnerSizes(kernel, machine);
  SmallVector<Candidate> candidates;
  for (int64_t tile : {16, 32, 64}) {
    // Each tile reads its activations anew; few tiles leave threads idle at the end.
    double again = 1.0 / tile, idle = double(tile) / columns;
    candidates.push_back({makeSchedule(kernel.getContext(), {{"vector", inner.lanes},
                                                             {"columns", tile},
                                                             {"tokens", 256},
                                                             {"rows", inner.rows},
                                                             {"token_group", inner.tokenGroup},
                                                             {"depth", inner.depth}}),
                          again + idle});
  }
  return candidates;
}

SmallVector<Candidate> moec::codegen::getGatedCandidates(kern::KernelOp kernel,
                                                         const Machine &machine, int64_t columns,
                                                         int64_t multiple) {
  DotSizes inner = getInnerSizes(kernel, machine);
  int64_t panel = columns <= 16 ? 16 : 32;
  SmallVector<Candidate> candidates;
  llvm::SmallSet<int64_t, 3> tried;
  for (int64_t size : {16, 32, 64}) {
    // Of whole quantization blocks, unless one tile has all columns.
    int64_t tile = llvm::alignTo(size, std::lcm(multiple, panel));
    if (columns <= tile)
      tile = llvm::alignTo(columns, panel);
    if (!tried.insert(tile).second)
      continue;
    // Two weight rows a column.
    double again = 0.5 / tile, idle = double(tile) / columns;
    candidates.push_back({makeSchedule(kernel.getContext(), {{"vector", inner.lanes},
                                                             {"columns", tile},
                                                             {"panel", panel},
                                                             {"tokens", 128},
                                                             {"rows", inner.rows},
                                                             {"token_group", inner.tokenGroup},
                                                             {"depth", inner.depth}}),
                          again + idle});
  }
  return candidates;
}

std::pair<kern::Dim, int64_t> moec::codegen::getRows(kern::KernelOp kernel) {
  Attribute rows = kernel.getRows()[kernel.getNumArguments()];
  if (auto dynamic = dyn_cast<kern::RowsAttr>(rows))
    return {dynamic.getDim(), dynamic.getMultiplier()};
  return {kern::Dim::One, moe::getShape(kernel.getResultTypes()[0])[0]};
}

int64_t moec::codegen::getMostRows(kern::KernelOp kernel, int64_t otherwise) {
  auto [dim, multiplier] = getRows(kernel);
  int64_t most = getMost(kernel, [dim = dim, multiplier = multiplier](kern::BoundsAttr bounds) {
    return int64_t(bounds.getSizes()[static_cast<unsigned>(dim)]) * multiplier;
  });
  return most ? most : otherwise;
}

ColumnBlock moec::codegen::getColumnBlock(ImplicitLocOpBuilder &b, Value begin, int64_t columns,
                                          int64_t size) {
  ColumnBlock block{constantIndex(b, size), nullptr, columns % size};
  if (block.lastCount) {
    Value whole = constantIndex(b, columns / size * size);
    block.isLast = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, begin, whole);
    block.count =
        arith::SelectOp::create(b, block.isLast, constantIndex(b, block.lastCount), block.count);
  }
  return block;
}

void ColumnBlock::forWidth(ImplicitLocOpBuilder &b, int64_t size,
                           llvm::function_ref<void(int64_t)> body) const {
  if (!isLast)
    return body(size);
  auto branch = scf::IfOp::create(b, isLast, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body(lastCount);
  b.setInsertionPointToStart(branch.elseBlock());
  body(size);
}
