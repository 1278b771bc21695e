// Verifiers and costs of sampling ops.
#include "dialects/moe/MoeSamplingOps.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::moe;

#define GET_OP_CLASSES
#include "dialects/moe/MoeSamplingOps.cpp.inc"

// So large that sums of weights, in their two halves, stay below 2^31.
static constexpr int64_t kMostColumns = int64_t(1) << 18, kMostChunk = 1024;

static int64_t getColumns(Value value) { return getShape(value.getType()).back(); }

/// Checks the chunks that `op` divides `logits` into; `maxima` has one column for each.
static LogicalResult verifyChunks(Operation *op, Value logits, int64_t chunk, Value maxima) {
  int64_t columns = getColumns(logits);
  if (columns > kMostColumns)
    return op->emitOpError() << "logits have " << columns << " columns, at most " << kMostColumns
                             << " can be summed";
  if (chunk < 1 || chunk > kMostChunk)
    return op->emitOpError() << "chunk must be in 1 .. " << kMostChunk << "; got " << chunk;
  int64_t expected = llvm::divideCeil(columns, chunk);
  if (getColumns(maxima) != expected)
    return op->emitOpError() << "maxima have " << getColumns(maxima) << " columns; expected "
                             << expected << ", one for each " << chunk << " of the " << columns
                             << " logits";
  return success();
}

static LogicalResult verifyMasses(Operation *op, Value masses, Value maxima) {
  if (getColumns(masses) != 2 * getColumns(maxima))
    return op->emitOpError() << "masses have " << getColumns(masses) << " columns; expected "
                             << 2 * getColumns(maxima) << ", two for each of the maxima";
  return success();
}

static LogicalResult verifySampling(Operation *op, Value sampling) {
  if (getColumns(sampling) != 4)
    return op->emitOpError() << "sampling has " << getColumns(sampling)
                             << " columns; expected 4: the factor, top_k, top_p, a random number";
  return success();
}

LogicalResult ChunkMaximaOp::verify() {
  return verifyChunks(*this, getLogits(), getChunk(), getMaxima());
}

LogicalResult ChunkMassesOp::verify() {
  return failure(failed(verifyChunks(*this, getLogits(), getChunk(), getMaxima())) ||
                 failed(verifyMasses(*this, getMasses(), getMaxima())) ||
                 failed(verifySampling(*this, getSampling())));
}

LogicalResult SampleOp::verify() {
  return failure(failed(verifyChunks(*this, getLogits(), getChunk(), getMaxima())) ||
                 failed(verifyMasses(*this, getMasses(), getMaxima())) ||
                 failed(verifySampling(*this, getSampling())));
}

uint64_t ChunkMaximaOp::getFlops(uint64_t rows, uint64_t, uint64_t) {
  return rows * getColumns(getLogits());
}
uint64_t ChunkMassesOp::getFlops(uint64_t rows, uint64_t, uint64_t) {
  return 20 * rows * getColumns(getLogits());
}
uint64_t SampleOp::getFlops(uint64_t rows, uint64_t, uint64_t) {
  return rows * getColumns(getMasses());
}
