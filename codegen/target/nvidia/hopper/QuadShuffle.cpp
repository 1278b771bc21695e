#include "codegen/target/nvidia/hopper/QuadShuffle.h"

using namespace moec::hopper;

// Two steps of exchanging with one neighbour: bit 0 of the lane's number with bit 0 of the item's,
// then bit 1.
Values moec::hopper::transposeQuad(Builder &b, const Int &lane, mlir::ValueRange items) {
  Values x(items);
  for (int64_t bit : {1, 2}) {
    Bool isUpper = (lane & bit) != 0;
    for (int64_t low : {0, 1, 2, 3}) {
      if (low & bit)
        continue;
      int64_t high = low | bit;
      Value got = shuffleXor(b, select(isUpper, x[low], x[high]), bit);
      Value newLow = select(isUpper, got, x[low]);
      x[high] = select(isUpper, x[high], got);
      x[low] = newLow;
    }
  }
  return x;
}

Value moec::hopper::maxOverQuad(Builder &b, Value value) {
  for (int64_t mask : {1, 2})
    value = maxFloat(b, value, shuffleXor(b, value, mask));
  return value;
}
