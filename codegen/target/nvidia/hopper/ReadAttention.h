// From a kernel's body to what PagedAttention computes, or why it cannot.
#pragma once

#include "codegen/target/nvidia/hopper/PagedAttention.h"
#include "dialects/kern/KernDialect.h"

namespace moec::hopper {

struct AttentionKernel {
  AttentionProblem problem;
  unsigned numSlots = 0;
};

/// Fills `into` from the body of `kernel`, one moe.attention of bf16 queries over a bf16 cache, or
/// says why it is not such a kernel. Counters and scratch are found when it has a schedule.
std::optional<std::string> readAttention(kern::KernelOp kernel, AttentionKernel &into);

} // namespace moec::hopper
