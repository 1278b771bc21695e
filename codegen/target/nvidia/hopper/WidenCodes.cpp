// A code's exponent and fraction, moved to the low end of bf16's, are the same number times
// 2^(7 - 127); subnormal codes become subnormal bf16. One multiplication makes that good.
#include "codegen/target/nvidia/hopper/WidenCodes.h"

#include "mlir/IR/BuiltinTypes.h"

using namespace moec::hopper;

/// Two codes, each in the upper byte of a half.
static Value widenPair(Builder &b, Value codes, llvm::StringRef selector) {
  std::string text = ("{.reg .b32 p, t; prmt.b32 p, $1, 0, " + selector +
                      "; shr.u32 t, p, 4; and.b32 t, t, 0x07f007f0; and.b32 p, p, 0x80008000;"
                      " or.b32 t, t, p; mov.b32 p, 0x7b807b80; mul.rn.bf16x2 $0, t, p;}")
                         .str();
  return inlineAsm(b, text, "=r,r", {codes}, {b.getI32Type()}, /*hasSideEffects=*/false).front();
}

Values moec::hopper::widenE4M3(Builder &b, Value codes) {
  return {widenPair(b, codes, "0x1404"), widenPair(b, codes, "0x3424")};
}
