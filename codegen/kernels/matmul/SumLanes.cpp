// A tree of additions over the lanes of several vectors at once.
#include "codegen/kernels/matmul/SumLanes.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec::codegen;

/// Adds the two halves of each of the `groups` groups of `vector`s' lanes. One vector: the result
/// is half as wide; two: the groups of both.
static Value addHalves(ImplicitLocOpBuilder &b, Value lhs, Value rhs, int64_t groups) {
  int64_t lanes = cast<VectorType>(lhs.getType()).getDimSize(0), size = lanes / groups;
  SmallVector<int64_t> low, high;
  for (int64_t source = 0; source < (rhs ? 2 : 1); ++source)
    for (int64_t group = 0; group < groups; ++group)
      for (int64_t i = 0; i < size / 2; ++i) {
        low.push_back(source * lanes + group * size + i);
        high.push_back(low.back() + size / 2);
      }
  Value other = rhs ? rhs : lhs;
  return arith::AddFOp::create(b, vector::ShuffleOp::create(b, lhs, other, low),
                               vector::ShuffleOp::create(b, lhs, other, high));
}

Value moec::codegen::sumLanes(ImplicitLocOpBuilder &b, ArrayRef<Value> vectors) {
  SmallVector<Value> level(vectors);
  int64_t groups = 1, lanes = cast<VectorType>(level[0].getType()).getDimSize(0);
  assert(llvm::isPowerOf2_64(level.size()) && int64_t(level.size()) <= lanes);
  for (; level.size() > 1; groups *= 2) {
    SmallVector<Value> next;
    for (size_t i = 0; i < level.size(); i += 2)
      next.push_back(addHalves(b, level[i], level[i + 1], groups));
    level = next;
  }
  for (; lanes > groups; lanes /= 2)
    level[0] = addHalves(b, level[0], nullptr, groups);
  return level[0];
}
