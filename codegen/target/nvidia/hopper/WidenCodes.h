// E4M3 codes as the bf16 values that they stand for: exact, with neither tables nor conversions by
// way of f32, or times a scale.
#pragma once

#include "codegen/target/nvidia/hopper/Memory.h"

namespace moec::hopper {

/// Four codes (i32, the first in the low byte) as two i32 of two bf16 each, the first in the low
/// half. NaNs are not told apart.
Values widenE4M3(Builder &b, Value codes);

/// Four codes times `scale` (f32) as two i32 of two bf16 each: each the bf16 nearest to the f32
/// product. NaNs stay NaN.
Values scaleE4M3(Builder &b, Value codes, Value scale);

} // namespace moec::hopper
