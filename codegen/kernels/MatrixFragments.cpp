#include "codegen/kernels/MatrixFragments.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec::codegen;

Value LaneNumber::emit(ImplicitLocOpBuilder &b, Value lane) const {
  if (!scale)
    return constantIndex(b, 0);
  Value number = lane;
  if (divisor != 1)
    number = arith::DivUIOp::create(b, number, constantIndex(b, divisor));
  if (modulus)
    number = arith::RemUIOp::create(b, number, constantIndex(b, modulus));
  return mulIndex(b, number, scale);
}
