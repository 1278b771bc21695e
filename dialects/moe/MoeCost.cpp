// Floating point operations of each op, for the roofline.
#include "dialects/moe/MoeDialect.h"

using namespace mlir;
using namespace moec::moe;

static uint64_t columns(Value value) { return getShape(value.getType()).back(); }

uint64_t EmbeddingOp::getFlops(uint64_t, uint64_t, uint64_t) { return 0; }
uint64_t GatherRowsOp::getFlops(uint64_t, uint64_t, uint64_t) { return 0; }
uint64_t SliceOp::getFlops(uint64_t, uint64_t, uint64_t) { return 0; }
uint64_t DeinterleaveOp::getFlops(uint64_t, uint64_t, uint64_t) { return 0; }
uint64_t ConcatOp::getFlops(uint64_t, uint64_t, uint64_t) { return 0; }
uint64_t CacheAppendOp::getFlops(uint64_t, uint64_t, uint64_t) { return 0; }
uint64_t PermuteOp::getFlops(uint64_t, uint64_t, uint64_t) { return 0; }
uint64_t AddOp::getFlops(uint64_t rows, uint64_t, uint64_t) { return rows * columns(getResult()); }
uint64_t RmsNormOp::getFlops(uint64_t rows, uint64_t, uint64_t) {
  return 4 * rows * columns(getResult());
}
uint64_t SwigluOp::getFlops(uint64_t rows, uint64_t, uint64_t) {
  return 4 * rows * columns(getResult());
}
uint64_t QuantizeOp::getFlops(uint64_t rows, uint64_t, uint64_t) {
  return 2 * rows * columns(getX());
}
uint64_t DequantizeOp::getFlops(uint64_t rows, uint64_t, uint64_t) {
  return rows * columns(getX());
}
uint64_t RopeOp::getFlops(uint64_t rows, uint64_t, uint64_t) {
  return 3 * rows * getHeads() * getRope().getDim();
}
uint64_t LinearOp::getFlops(uint64_t rows, uint64_t, uint64_t) {
  return (2 * columns(getX()) + (getBias() ? 1 : 0)) * rows * columns(getResult());
}
uint64_t HeadLinearOp::getFlops(uint64_t rows, uint64_t, uint64_t) {
  return 2 * rows * getHeads() * getWSize() * columns(getWeight());
}
uint64_t AttentionOp::getFlops(uint64_t rows, uint64_t context, uint64_t) {
  return 2 * rows * context * getHeads() * (getKeyDim() + getValueDim());
}
uint64_t MlaAttentionOp::getFlops(uint64_t rows, uint64_t context, uint64_t sequences) {
  uint64_t perPair = 2 * getHeads() * (getNopeDim() + getRopeDim() + getVDim());
  uint64_t expand =
      2 * sequences * context * getHeads() * (getNopeDim() + getVDim()) * columns(getUpWeight());
  return rows * context * perPair + expand;
}
uint64_t LatentAttentionOp::getFlops(uint64_t rows, uint64_t context, uint64_t) {
  uint64_t latent = columns(getResult()) / getHeads();
  return 2 * rows * context * getHeads() * (2 * latent + getRopeDim());
}
uint64_t GateOp::getFlops(uint64_t rows, uint64_t, uint64_t) {
  // A look at every expert for each choice.
  return (8 + 2 * getTopK()) * rows * columns(getLogits());
}
uint64_t ExpertsOp::getFlops(uint64_t rows, uint64_t, uint64_t) {
  auto gate = getShape(getGate().getType());
  return rows * columns(getIds()) * 6 * gate[1] * gate[2];
}
uint64_t GroupedLinearOp::getFlops(uint64_t rows, uint64_t, uint64_t) {
  return 2 * rows * columns(getX()) * columns(getResult());
}
uint64_t CombineOp::getFlops(uint64_t rows, uint64_t, uint64_t) {
  return 2 * rows * columns(getSlots()) * columns(getResult());
}
