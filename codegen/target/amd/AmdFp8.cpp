// Conversions between E4M3FN and f32, two values an instruction.
#include "codegen/target/amd/AmdLower.h"
#include "codegen/target/gpu/Fp8Pairs.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace moec::codegen;

static Value call(ImplicitLocOpBuilder &b, Type type, StringRef name, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, type, b.getStringAttr(name), operands).getResult(0);
}

/// Which half of a register holds the two codes.
static Value lowHalf(ImplicitLocOpBuilder &b) {
  return LLVM::ConstantOp::create(b, b.getI1Type(), b.getBoolAttr(false));
}

static Value extendPair(ImplicitLocOpBuilder &b, Value codes) {
  Value word = arith::ExtUIOp::create(b, b.getI32Type(), codes);
  return call(b, VectorType::get({2}, b.getF32Type()), "llvm.amdgcn.cvt.pk.f32.fp8",
              {word, lowHalf(b)});
}

/// The instruction makes NaN of what is too large, so values are bounded before; NaN stays NaN.
static Value saturate(ImplicitLocOpBuilder &b, Value value) {
  auto constant = [&](double bound) -> Value {
    return arith::ConstantOp::create(b, b.getF32FloatAttr(bound));
  };
  value = arith::MinimumFOp::create(b, value, constant(448));
  return arith::MaximumFOp::create(b, value, constant(-448));
}

static Value truncatePair(ImplicitLocOpBuilder &b, Value low, Value high) {
  Value none = arith::ConstantOp::create(b, b.getI32IntegerAttr(0));
  Value word = call(b, b.getI32Type(), "llvm.amdgcn.cvt.pk.fp8.f32",
                    {saturate(b, low), saturate(b, high), none, lowHalf(b)});
  return arith::TruncIOp::create(b, b.getI16Type(), word);
}

void moec::codegen::populateAmdFp8Patterns(RewritePatternSet &patterns) {
  populateFp8PairPatterns(patterns, {extendPair, truncatePair});
}
