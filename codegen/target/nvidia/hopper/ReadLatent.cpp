#include "codegen/target/nvidia/hopper/ReadLatent.h"

#include "codegen/kernels/KernelUses.h"
#include "dialects/moe/CacheRow.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec;
using namespace moec::hopper;
using Refusal = std::optional<std::string>;

namespace {

class Reader {
public:
  Reader(kern::KernelOp kernel, LatentKernel &into)
      : kernel(kernel), into(into), slots(codegen::getSlots(kernel)) {}

  Refusal read();

private:
  Refusal readCache(moe::LatentAttentionOp op);
  Refusal readQueries(moe::LatentAttentionOp op);
  Refusal readResult();
  Refusal readSlots(moe::LatentAttentionOp op);
  unsigned getSlot(unsigned value) const { return codegen::findSlot(slots, value); }

  kern::KernelOp kernel;
  LatentKernel &into;
  SmallVector<codegen::Slot> slots;
};

} // namespace

static Refusal refuseType(Value value, StringRef what) {
  Type element = cast<RankedTensorType>(value.getType()).getElementType();
  if (!isa<BlockArgument>(value))
    return (what + " is computed in the kernel").str();
  if (!element.isBF16())
    return llvm::formatv("{0} is {1}, not bf16", what, element).str();
  return std::nullopt;
}

Refusal Reader::read() {
  auto ops = kernel.getBody().front().without_terminator();
  if (!llvm::hasSingleElement(ops) || !isa<moe::LatentAttentionOp>(*ops.begin()))
    return "it is not one moe.latent_attention";
  auto op = cast<moe::LatentAttentionOp>(*ops.begin());
  into.problem.heads = op.getHeads();
  into.problem.scale = op.getScale().convertToDouble();
  for (auto part : {&Reader::readCache, &Reader::readQueries, &Reader::readSlots})
    if (auto refusal = (this->*part)(op))
      return refusal;
  if (auto refusal = readResult())
    return refusal;
  return into.problem.refuse();
}

Refusal Reader::readCache(moe::LatentAttentionOp op) {
  auto cache = cast<moe::CacheType>(op.getCache().getType());
  moe::CacheRow row = moe::getCacheRow(cache);
  into.problem.quantizedCache = row.isQuantized();
  if (row.isQuantized() ? row.codes != LatentProblem::kLatent || row.block != 128
                        : !cache.getElementType().isBF16())
    return llvm::formatv(
               "its cache is of {0}, neither bf16 nor {1} codes with a scale for each 128",
               cache.getElementType(), LatentProblem::kLatent)
        .str();
  if (cache.getWidth() != LatentProblem::kWidth || op.getRopeDim() != LatentProblem::kRope)
    return llvm::formatv("its cached rows have {0} columns, {1} of them rotated; {2} and {3} are "
                         "expected",
                         cache.getWidth(), op.getRopeDim(), LatentProblem::kWidth,
                         LatentProblem::kRope)
        .str();
  into.problem.page = cache.getPage();
  return std::nullopt;
}

Refusal Reader::readQueries(moe::LatentAttentionOp op) {
  for (auto [value, what] :
       {std::pair(op.getQLatent(), "its latent query"), std::pair(op.getQ(), "its query")})
    if (auto refusal = refuseType(value, what))
      return refusal;
  auto getStride = [&](Value value) {
    return 2 * kernel.getRowStrides()[cast<BlockArgument>(value).getArgNumber()];
  };
  into.problem.queryColumns = moe::getShape(op.getQ().getType())[1] / into.problem.heads;
  into.problem.latentStride = getStride(op.getQLatent());
  into.problem.queryStride = getStride(op.getQ());
  return std::nullopt;
}

Refusal Reader::readResult() {
  if (kernel.getNumResults() != 1)
    return "it has several results";
  auto type = cast<RankedTensorType>(kernel.getResultTypes()[0]);
  Type element = type.getElementType();
  if (!element.isBF16() && !element.isF32())
    return llvm::formatv("its result is {0}, neither bf16 nor f32", element).str();
  if (kernel.getRowStrides()[kernel.getNumArguments()] != type.getShape()[1])
    return "its result is a view of some columns";
  into.problem.floatResult = element.isF32();
  return std::nullopt;
}

Refusal Reader::readSlots(moe::LatentAttentionOp op) {
  auto &to = into.problem.slots;
  for (auto [value, slot] : {std::pair<Value, unsigned *>(op.getQLatent(), &to.latentQuery),
                             {op.getQ(), &to.query},
                             {op.getCache(), &to.cache},
                             {op.getPositions(), &to.positions},
                             {op.getSequences(), &to.sequences},
                             {op.getBlockTable(), &to.blockTable}}) {
    auto argument = dyn_cast<BlockArgument>(value);
    if (!argument)
      return "an operand is computed in the kernel";
    *slot = getSlot(argument.getArgNumber());
  }
  to.result = getSlot(kernel.getNumArguments());
  to.counters = to.result + 1;
  to.scratch = to.counters + 1;
  into.numSlots = to.scratch + 1;
  return std::nullopt;
}

Refusal moec::hopper::readLatent(kern::KernelOp kernel, LatentKernel &into) {
  if (kernel.getHero() != kern::Hero::Attention)
    return "its hero is no attention";
  return Reader(kernel, into).read();
}

int64_t moec::hopper::getTokensOfSequence(kern::KernelOp kernel) {
  int64_t most = codegen::getMost(kernel, [](kern::BoundsAttr bounds) {
    return llvm::divideCeil(bounds.getTokens(), bounds.getSequences());
  });
  return std::max<int64_t>(most, 1);
}
