// From a kernel's body to the attention over latents of this folder, or why it is another's.
#pragma once

#include "codegen/target/nvidia/hopper/LatentAttention.h"
#include "dialects/kern/KernDialect.h"

namespace moec::hopper {

struct LatentKernel {
  LatentProblem problem;
  unsigned numSlots = 0; // with counters and scratch
};

/// Fills `into` from the body of `kernel`, a moe.latent_attention of bf16 queries over a bf16 cache
/// of 512 + 64 columns and nothing else. Slots of counters and scratch are counted whether the
/// schedule has them yet or not.
std::optional<std::string> readLatent(kern::KernelOp kernel, LatentKernel &into);

/// The most tokens of a sequence, on average, in the programs that launch `kernel`; 1 when none
/// says.
int64_t getTokensOfSequence(kern::KernelOp kernel);

} // namespace moec::hopper
