#include "codegen/target/nvidia/hopper/WgmmaValues.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec::hopper;

Values WgmmaValues::pack(ValueRange weights) const {
  Values packed;
  for (size_t i = 0; i < weights.size(); i += 2)
    packed.push_back(packBFloat16(*b, weights[i], weights[i + 1]));
  return packed;
}

// Bits: address / 16, 14 of them (in a cluster, an address has the block's rank above: it would
// reach the next field); 16: bytes from box to box / 16; 32: bytes between groups of 8 rows / 16;
// 62: 128-byte swizzle.
Value WgmmaValues::describe(const Shared &place) const {
  constexpr int64_t kLayout = (1ll << 62) | (64ll << 32) | (kBoxBytes / 16 << 16);
  Value address = toWide((place.getAddress() >> 4) & 0x3fff);
  return arith::AddIOp::create(*b, address, arith::ConstantIntOp::create(*b, kLayout, 64));
}

Value WgmmaValues::skipBoxes(Value descriptor, int64_t boxes) const {
  Value units = arith::ConstantIntOp::create(*b, boxes * kBoxBytes / 16, 64);
  return arith::AddIOp::create(*b, descriptor, units);
}

Values WgmmaValues::start(ValueRange weights, Value rows, ValueRange sums) const {
  constexpr int64_t kStepRows = 16, kStepUnits = kStepRows * kBoxColumns * 2 / 16;
  fenceProducts(*b);
  Values result(sums);
  for (int64_t step = 0; step < kRows / kStepRows; ++step) {
    Value offset = arith::ConstantIntOp::create(*b, step * kStepUnits, 64);
    result = multiplyRegisters(*b, columns, weights.slice(4 * step, 4),
                               arith::AddIOp::create(*b, rows, offset), result);
  }
  commitProducts(*b);
  return result;
}
