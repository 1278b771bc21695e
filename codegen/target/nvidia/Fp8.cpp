// Conversions between E4M3 and f32, two values an instruction.
#include "codegen/target/gpu/Fp8Pairs.h"
#include "codegen/target/nvidia/Lower.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace moec::codegen;

static Value call(ImplicitLocOpBuilder &b, Type type, StringRef name, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, type, b.getStringAttr(name), operands).getResult(0);
}

static Value extendPair(ImplicitLocOpBuilder &b, Value codes) {
  Value halves =
      call(b, VectorType::get({2}, b.getF16Type()), "llvm.nvvm.e4m3x2.to.f16x2.rn", codes);
  return arith::ExtFOp::create(b, VectorType::get({2}, b.getF32Type()), halves);
}

static Value truncatePair(ImplicitLocOpBuilder &b, Value low, Value high) {
  return call(b, b.getI16Type(), "llvm.nvvm.ff.to.e4m3x2.rn", {high, low});
}

void moec::codegen::populateFp8Patterns(RewritePatternSet &patterns) {
  populateFp8PairPatterns(patterns, {extendPair, truncatePair});
}
