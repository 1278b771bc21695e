// What all 32 lanes of a warp have, combined: the same in every lane.
#pragma once

#include "codegen/target/nvidia/hopper/Instructions.h"

namespace moec::hopper {

/// `combine` is commutative and associative, or its order does not matter.
Int reduceWarp(Int x, llvm::function_ref<Int(const Int &, const Int &)> combine);
/// The same of an f32.
Value reduceWarp(Builder &b, Value x, llvm::function_ref<Value(Value, Value)> combine);

} // namespace moec::hopper
