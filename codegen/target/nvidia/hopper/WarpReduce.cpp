#include "codegen/target/nvidia/hopper/WarpReduce.h"

using namespace moec::hopper;

Int moec::hopper::reduceWarp(Int x, llvm::function_ref<Int(const Int &, const Int &)> combine) {
  Builder &b = *x.b;
  Value all = reduceWarp(b, x.value, [&](Value own, Value other) {
    return combine(Int(b, own), Int(b, other)).value;
  });
  return Int(b, all);
}

Value moec::hopper::reduceWarp(Builder &b, Value x,
                               llvm::function_ref<Value(Value, Value)> combine) {
  for (int64_t lanes : {16, 8, 4, 2, 1})
    x = combine(x, shuffleXor(b, x, lanes));
  return x;
}
