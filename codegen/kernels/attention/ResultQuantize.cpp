#include "codegen/kernels/attention/ResultQuantize.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/rows/RowParts.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

static int64_t getBlock(moe::QuantizeOp op) { return op.getType().getScheme().getBlock()[1]; }

std::optional<std::string> moec::codegen::refuseQuantize(moe::QuantizeOp op, int64_t columns,
                                                         StringRef what) {
  int64_t block = getBlock(op);
  if (block && columns % block == 0)
    return std::nullopt;
  return what.str() + " " + std::to_string(columns) + " columns do not end on blocks of " +
         std::to_string(block);
}

FailureOr<moe::QuantizeOp> moec::codegen::findQuantize(
    Operation *attention, llvm::function_ref<std::optional<std::string>(moe::QuantizeOp)> refuse) {
  moe::QuantizeOp quantize;
  for (Operation &other : attention->getBlock()->without_terminator()) {
    if (&other == attention)
      continue;
    auto found = dyn_cast<moe::QuantizeOp>(other);
    if (!found || quantize || found.getX().getDefiningOp() != attention)
      return other.emitError() << "the host's attention kernels hold nothing but the attention and "
                                  "the quantization of its result";
    if (auto reason = refuse(found))
      return other.emitError() << *reason;
    quantize = found;
  }
  return quantize;
}

void moec::codegen::storeQuantized(TileFunction &tile, moe::QuantizeOp op, Value values,
                                   Value token, Value first, Value columns) {
  int64_t block = getBlock(op);
  RowRef from{values, {}, constantIndex(tile.b, 0), 0, block};
  for (unsigned index : tile.getResultsOf(op.getResult())) {
    Buffer result = tile.getResult(index);
    RowRef to{result.data, result.scales, token, 0, block};
    quantizeColumns(tile.b, tile.getScheduleSize("vector"), from, to, first, columns, block);
  }
}
