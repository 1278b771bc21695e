// Ops that choose tokens.
#pragma once

#include "dialects/moe/MoeDialect.h"

#define GET_OP_CLASSES
#include "dialects/moe/MoeSamplingOps.h.inc"

namespace moec::moe {

/// Columns of logits that are summed up together: a step of a subgroup of 32 threads.
inline constexpr int64_t kSampleChunk = 128;

} // namespace moec::moe
