// E4M3 codes as the bf16 values that they stand for: exact, and with neither tables nor conversions
// by way of f32.
#pragma once

#include "codegen/target/nvidia/hopper/Memory.h"

namespace moec::hopper {

/// Four codes (i32, the first in the low byte) as two i32 of two bf16 each, the first in the low
/// half. NaNs are not told apart.
Values widenE4M3(Builder &b, Value codes);

/// The same times a scale, of which makeMultiplier has made `multiplier`: exact where the scale is
/// a power of 2, otherwise its nearest bf16 is taken and the product rounded. Below 2^7.
Values scaleE4M3(Builder &b, Value codes, Value multiplier);
/// Of an f32; 0 makes all codes 0.
Value makeMultiplier(Builder &b, Value scale);

} // namespace moec::hopper
