#include "codegen/target/nvidia/hopper/WgmmaTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec::hopper;

static Value makeWide(moec::hopper::Builder &b, int64_t x) {
  return arith::ConstantIntOp::create(b, x, 64);
}

// Bits: address / 16; 16: leading offset (unused here, 1); 32: bytes between groups of 8 rows / 16;
// 62: 128-byte swizzle.
static constexpr int64_t kLayout = (1ll << 62) | (64ll << 32) | (1ll << 16);

Value WgmmaTile::describe(const Shared &place) const {
  return arith::AddIOp::create(*b, toWide(place.getAddress() >> 4), makeWide(*b, kLayout));
}

// With 14 bits of address the sum is an `or`: ptxas sees that the upper half is constant.
Value WgmmaTile::describeFixed(const Shared &place) const {
  Value address = toWide((place.getAddress() >> 4) & 0x3fff);
  return arith::AddIOp::create(*b, address, makeWide(*b, kLayout));
}

Value WgmmaTile::skip(Value descriptor, int64_t units) const {
  return units ? arith::AddIOp::create(*b, descriptor, makeWide(*b, units)).getResult()
               : descriptor;
}

Value WgmmaTile::skipRows(Value descriptor, int64_t rows) const {
  return skip(descriptor, rows * kRowBytes / 16);
}

Value WgmmaTile::multiplyAll(Value x, Value w, Value sums, bool isFirst) const {
  int64_t xStep = byColumns ? 16 * kRowBytes / 16 : 2; // 16 rows, or 32 bytes of each
  for (int64_t step = 0; step < 4; ++step)
    sums = multiply(*b, type, columns, skip(x, xStep * step), skip(w, 2 * step), sums,
                    !isFirst || step != 0, byColumns);
  return sums;
}

Value WgmmaTile::makeSums() const {
  Values undefined(columns / 2, makeUndefined(*b, b->getF32Type()));
  return makeUndefined(*b, makeStruct(*b, undefined).getType());
}

Value WgmmaTile::start(Value x, Value w, ValueRange before) const {
  fenceProducts(*b);
  Value sums = before.empty() ? makeSums() : makeStruct(*b, before);
  sums = multiplyAll(x, w, sums, /*isFirst=*/true);
  commitProducts(*b);
  return sums;
}

Value WgmmaTile::add(Value x, Value w, Value sums) const {
  return multiplyAll(x, w, sums ? sums : makeSums(), /*isFirst=*/!sums);
}

Values WgmmaTile::wait(Value sums, unsigned pending) const {
  return waitProducts(*b, pending, getMembers(*b, sums));
}
