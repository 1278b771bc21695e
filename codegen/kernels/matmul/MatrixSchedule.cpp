// Fusion and schedules of the matrix kernels.
#include "codegen/kernels/matmul/MatrixSchedule.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/matmul/Epilogue.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

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

SmallVector<Candidate> moec::codegen::getDotCandidates(kern::KernelOp kernel,
                                                       const Machine &machine, int64_t columns,
                                                       int64_t depth) {
  // rows * group accumulators, one weight and the group's activations must fit the registers.
  int64_t lanes = machine.floatLanes(), rows = 4;
  int64_t group = machine.vectorRegisters >= 32 && lanes >= 16 ? 4 : 2;
  // A register tile's operands stay in the first cache beside what passes through.
  int64_t panel = machine.level1Bytes * 3 / 4 / ((rows + group) * 4);
  int64_t multiple = getBlockMultiple(kernel);
  panel = std::max(panel / multiple, int64_t(1)) * multiple;

  SmallVector<Candidate> candidates;
  for (int64_t tile : {16, 32, 64}) {
    // Each tile reads its activations anew; few tiles leave threads idle at the end.
    double again = 1.0 / tile, idle = double(tile) / columns;
    candidates.push_back({makeSchedule(kernel.getContext(), {{"vector", lanes},
                                                             {"columns", tile},
                                                             {"tokens", 256},
                                                             {"rows", rows},
                                                             {"token_group", group},
                                                             {"depth", panel}}),
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
