// mma.sync of bf16, which every chip from sm_80 on has, as fragments for team kernels.
#pragma once

#include "codegen/kernels/MatrixFragments.h"

namespace moec::codegen {

/// mma.m16n8k16, two of them along the depth.
const MatrixFragments &getMmaFragments();

} // namespace moec::codegen
