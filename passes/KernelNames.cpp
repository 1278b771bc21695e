#include "passes/KernelNames.h"

#include "dialects/moe/CacheRow.h"
#include "dialects/moe/MoeSamplingOps.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

/// "f8", "bf16", "i8": the element type as names have it.
static std::string getElementName(Type type) {
  if (moe::QuantSchemeAttr scheme = moe::getScheme(type))
    type = scheme.getStorage();
  else if (auto cache = dyn_cast<moe::CacheType>(type);
           cache && moe::getCacheRow(cache).isQuantized())
    return "f8";
  else if (cache)
    type = cache.getElementType();
  else
    type = cast<RankedTensorType>(type).getElementType();
  if (type.isBF16())
    return "bf16";
  if (isa<FloatType>(type))
    return "f" + std::to_string(type.getIntOrFloatBitWidth());
  return "i" + std::to_string(type.getIntOrFloatBitWidth());
}

static std::string getSizes(ArrayRef<int64_t> sizes) {
  std::string text;
  for (int64_t size : sizes)
    text += (text.empty() ? "" : "x") + std::to_string(size);
  return text;
}

static int64_t getColumns(Value value) {
  if (auto cache = dyn_cast<moe::CacheType>(value.getType()))
    return cache.getWidth();
  return moe::getShape(value.getType()).back();
}

/// Sizes and type of an op that is a main loop of its own; empty for row ops.
static std::string describeHero(Operation *op) {
  auto weightName = [](Value weight) {
    return getSizes(moe::getShape(weight.getType())) + "_" + getElementName(weight.getType());
  };
  return llvm::TypeSwitch<Operation *, std::string>(op)
      .Case([&](moe::LinearOp linear) {
        return (linear.getBias() ? "bias_" : "") + weightName(linear.getWeight());
      })
      .Case([&](moe::GroupedLinearOp linear) { return weightName(linear.getWeight()); })
      .Case([](moe::HeadLinearOp linear) {
        int64_t results = getColumns(linear.getResult()) / int64_t(linear.getHeads());
        return getSizes({int64_t(linear.getHeads()), results, int64_t(linear.getXSize())}) + "_" +
               getElementName(linear.getWeight().getType());
      })
      .Case([](moe::LatentAttentionOp attention) {
        int64_t width = getColumns(attention.getCache());
        return getSizes({int64_t(attention.getHeads()), width}) + "_" +
               getElementName(attention.getCache().getType());
      })
      .Case([](moe::AttentionOp attention) {
        return "kv_" +
               getSizes({int64_t(attention.getHeads()), int64_t(attention.getKvHeads()),
                         int64_t(attention.getKeyDim()), int64_t(attention.getValueDim())}) +
               "_" + getElementName(attention.getCache().getType());
      })
      .Case([](moe::MlaAttentionOp attention) {
        return "mla_" +
               getSizes({int64_t(attention.getHeads()), getColumns(attention.getCache())}) + "_" +
               getElementName(attention.getCache().getType());
      })
      .Case([](moe::GateOp gate) {
        std::string shared =
            gate.getShared() ? "_shared" + std::to_string(int64_t(gate.getShared())) : "";
        return llvm::formatv("{0}_top{1}{2}", getColumns(gate.getLogits()), gate.getTopK(), shared)
            .str();
      })
      .Case([](moe::PermuteOp permute) {
        int64_t experts = moe::getShape(permute.getOffsets().getType())[0] - 1;
        return llvm::formatv("{0}_top{1}", experts, getColumns(permute.getIds())).str();
      })
      .Case<moe::ChunkMaximaOp, moe::ChunkMassesOp, moe::SampleOp>([](auto choice) {
        return choice->getName().stripDialect().str() + "_" +
               std::to_string(getColumns(choice.getLogits()));
      })
      .Default([](Operation *) { return std::string(); });
}

std::string moec::passes::getKernelName(kern::GroupOp group) {
  kern::Hero hero = group.getHero().value_or(kern::Hero::Rows);
  std::string name = stringifyHero(hero).str();
  Block &body = group.getBody().front();
  std::string sizes;
  Operation *last = nullptr;
  for (Operation &op : body.without_terminator()) {
    std::string described = describeHero(&op);
    // A router's linear has sizes too: the gate's are the hero's.
    if (!described.empty())
      sizes = described;
    last = &op;
  }
  bool alone = llvm::hasSingleElement(body.without_terminator());
  if (sizes.empty() || !alone)
    for (Operation &op : body.without_terminator())
      // The hero's own product and views go without saying.
      if (!isa<moe::SliceOp, moe::DeinterleaveOp, moe::GroupedLinearOp>(op) &&
          !(hero == kern::Hero::Matmul && isa<moe::LinearOp>(op)))
        name += "_" + op.getName().stripDialect().str();
  if (sizes.empty() && last)
    sizes = std::to_string(getColumns(last->getResult(0)));
  return name + "_" + sizes;
}
