#include "codegen/target/nvidia/hopper/ReadAttention.h"

#include "codegen/kernels/KernelUses.h"

using namespace mlir;
using namespace moec;
using namespace moec::hopper;

static bool isBFloat16Rows(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getElementType().isBF16();
}

/// Whether all that the op reads are the kernel's arguments.
static bool readsArguments(moe::AttentionOp op) {
  return llvm::all_of(op->getOperands(), [](Value value) { return isa<BlockArgument>(value); });
}

std::optional<std::string> moec::hopper::readAttention(kern::KernelOp kernel,
                                                       AttentionKernel &into) {
  auto ops = kernel.getBody().front().without_terminator();
  auto op = llvm::hasSingleElement(ops) ? dyn_cast<moe::AttentionOp>(*ops.begin()) : nullptr;
  if (!op || !readsArguments(op))
    return "it is not one moe.attention of its arguments";
  auto yielded = kernel.getYielded();
  if (yielded.size() != 1 || yielded[0] != op.getResult())
    return "it yields something else than its attention";
  auto cache = cast<moe::CacheType>(op.getCache().getType());
  if (!isBFloat16Rows(op.getQ().getType()) || !isBFloat16Rows(op.getType()))
    return "its queries or results are not bf16";
  if (!cache.getElementType().isBF16())
    return "its cache is not bf16";
  SmallVector<codegen::Slot> slots = codegen::getSlots(kernel);
  auto getSlot = [&](unsigned value) { return codegen::findSlot(slots, value); };
  auto getArgument = [&](Value value) {
    return getSlot(cast<BlockArgument>(value).getArgNumber());
  };
  unsigned result = kernel.getNumArguments();
  AttentionProblem &problem = into.problem;
  problem.q = getArgument(op.getQ());
  problem.cache = getArgument(op.getCache());
  problem.positions = getArgument(op.getPositions());
  problem.sequences = getArgument(op.getSequences());
  problem.blockTable = getArgument(op.getBlockTable());
  problem.result = getSlot(result);
  problem.counters = getSlot(result + 1);
  problem.scratch = getSlot(result + 2);
  problem.heads = op.getHeads();
  problem.keyValueHeads = op.getKvHeads();
  problem.keyColumns = op.getKeyDim();
  problem.valueColumns = op.getValueDim();
  problem.page = cache.getPage();
  problem.qStride = kernel.getRowStrides()[cast<BlockArgument>(op.getQ()).getArgNumber()];
  problem.resultStride = kernel.getRowStrides()[result];
  problem.scale = op.getScale().convertToDouble();
  into.numSlots = slots.size();
  return problem.refuse();
}
