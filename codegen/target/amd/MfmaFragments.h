// MFMA of bf16 as fragments for team kernels.
#pragma once

#include "codegen/kernels/MatrixFragments.h"

namespace moec::codegen {

/// 16 x 16 x 16, two of them along the depth (gfx90a and later).
const MatrixFragments &getMfmaFragments();
/// 16 x 16 x 32 (gfx950).
const MatrixFragments &getDeepMfmaFragments();

} // namespace moec::codegen
