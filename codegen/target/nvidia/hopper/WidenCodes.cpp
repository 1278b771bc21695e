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

Values moec::hopper::scaleE4M3(Builder &b, Value codes, Value scale) {
  llvm::StringRef text =
      "{.reg .b16 l, h, c<4>; .reg .b32 p, q; .reg .f32 f<4>; mov.b32 {l, h}, $2;"
      " cvt.rn.f16x2.e4m3x2 p, l; cvt.rn.f16x2.e4m3x2 q, h;"
      " mov.b32 {c0, c1}, p; mov.b32 {c2, c3}, q;"
      " cvt.f32.f16 f0, c0; cvt.f32.f16 f1, c1; cvt.f32.f16 f2, c2; cvt.f32.f16 f3, c3;"
      " mul.f32 f0, f0, $3; mul.f32 f1, f1, $3; mul.f32 f2, f2, $3; mul.f32 f3, f3, $3;"
      " cvt.rn.bf16x2.f32 $0, f1, f0; cvt.rn.bf16x2.f32 $1, f3, f2;}";
  mlir::Type word = b.getI32Type();
  return inlineAsm(b, text, "=r,=r,r,f", {codes, scale}, {word, word}, /*hasSideEffects=*/false);
}
