// A barrier of all blocks of a launch, which must all run at once. Two counters of the kernel ABI:
// they are zero when the launch begins, and zero again when it ends.
#pragma once

#include "codegen/target/nvidia/hopper/Instructions.h"

namespace moec::hopper {

class GridBarrier {
public:
  static constexpr int64_t kCounters = 2;

  explicit GridBarrier(const Global &counters) : b(counters.b), counters(counters) {}

  /// By one thread of each block, the `turn`-th time (from 0 on): waits until all blocks are there.
  /// It then sees what all threads wrote before the barrier of their block that came before this;
  /// so does the copy engine, if those threads have called fenceGlobalCopies.
  void wait(const Int &turn) const;
  /// By the same threads, behind the last wait.
  void finish() const;

private:
  Builder *b;
  Global counters;
};

} // namespace moec::hopper
