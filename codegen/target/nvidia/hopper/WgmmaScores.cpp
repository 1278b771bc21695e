#include "codegen/target/nvidia/hopper/WgmmaScores.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec::hopper;

// Bits: address / 16, 14 of them; 16: leading offset (unused here, 1); 32: bytes between groups of
// 8 rows / 16; 62: 128-byte swizzle.
Value WgmmaScores::describe(const Shared &place) const {
  constexpr int64_t kLayout = (1ll << 62) | (64ll << 32) | (1ll << 16);
  Value address = toWide((place.getAddress() >> 4) & 0x3fff);
  return arith::AddIOp::create(*b, address, arith::ConstantIntOp::create(*b, kLayout, 64));
}

Values WgmmaScores::start(ValueRange queries, Value rows) const {
  constexpr int64_t kStepColumns = 16, kStepsABox = kBoxColumns / kStepColumns;
  fenceProducts(*b);
  Values scores(kRows / 2, makeUndefined(*b, b->getF32Type()));
  for (int64_t step = 0; step < columns / kStepColumns; ++step) {
    int64_t bytes = step / kStepsABox * kBoxBytes + step % kStepsABox * kStepColumns * 2;
    Value offset = arith::ConstantIntOp::create(*b, bytes / 16, 64);
    scores = multiplyRegisters(*b, kRows, queries.slice(4 * step, 4),
                               arith::AddIOp::create(*b, rows, offset), scores,
                               /*isTransposed=*/false, /*accumulate=*/step != 0);
  }
  commitProducts(*b);
  return scores;
}
