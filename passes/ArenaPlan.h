// Packs buffers into one arena: buffers whose lives do not overlap may share bytes.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace moec::passes {

/// A buffer and the launches (by index, both included) during which its bytes are its own.
struct Interval {
  unsigned first = 0, last = 0;
  uint64_t bytes = 0;
};

struct ArenaPlan {
  llvm::SmallVector<uint64_t> offsets; // of each interval, multiples of the alignment
  uint64_t bytes = 0;                  // size of the arena
};

/// Places large buffers first, each into the smallest gap that holds it.
ArenaPlan planArena(llvm::ArrayRef<Interval> intervals, uint64_t alignment = 64);

} // namespace moec::passes
