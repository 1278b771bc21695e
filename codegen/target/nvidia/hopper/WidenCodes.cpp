// A code's exponent and fraction, moved to the low end of bf16's, are the same number times
// 2^(7 - 127); subnormal codes become subnormal bf16. One multiplication makes that good.
#include "codegen/target/nvidia/hopper/WidenCodes.h"

#include "codegen/target/nvidia/hopper/Instructions.h"

#include "mlir/IR/BuiltinTypes.h"

using namespace moec::hopper;

/// Two codes, which `selector` takes as the low bytes of halves that repeat their signs.
static Value widenPair(Builder &b, Value codes, Value multiplier, llvm::StringRef selector) {
  std::string text = ("{.reg .b32 p; prmt.b32 p, $1, 0, " + selector +
                      "; shl.b32 p, p, 4; and.b32 p, p, 0x87f087f0; mul.rn.bf16x2 $0, p, $2;}")
                         .str();
  return inlineAsm(b, text, "=r,r,r", {codes, multiplier}, {b.getI32Type()},
                   /*hasSideEffects=*/false)
      .front();
}

Values moec::hopper::scaleE4M3(Builder &b, Value codes, Value multiplier) {
  return {widenPair(b, codes, multiplier, "0x9180"), widenPair(b, codes, multiplier, "0xb3a2")};
}

Values moec::hopper::widenE4M3(Builder &b, Value codes) {
  return scaleE4M3(b, codes, Int(b, 0x7b807b80).value); // 2^120, twice
}

Value moec::hopper::makeMultiplier(Builder &b, Value scale) {
  Value shifted = multiplyFloat(b, scale, constantFloat(b, 0x1p120));
  return packBFloat16(b, shifted, shifted);
}
