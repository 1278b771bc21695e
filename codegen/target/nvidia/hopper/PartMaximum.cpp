#include "codegen/target/nvidia/hopper/PartMaximum.h"

using namespace moec::hopper;

static constexpr int64_t kRowBytes = 4 * PartMaximum::kRows;

// Two buffers are enough: who sends for the turn after next has heard, in the next one, from all
// who read this one.
PartMaximum::PartMaximum(KernelFrame &frame, int64_t warps, int64_t parts)
    : b(&frame.b), warps(warps), parts(parts),
      data(frame.allocate(2 * warps * (parts - 1) * kRowBytes, 16)),
      barriers(frame.allocate(2 * warps * 8, 8)) {}

void PartMaximum::init() const {
  for (int64_t i = 0; i < 2 * warps; ++i)
    initBarrier(barriers + 8 * i, 1);
}

Values PartMaximum::exchange(const Int &warp, const Int &lane, const Int &turn,
                             mlir::ValueRange largest) const {
  Int slot = (turn & 1) * warps + warp, rank = getClusterRank(*b);
  Shared received = data + slot * ((parts - 1) * kRowBytes), barrier = barriers + slot * 8;
  Int row = lane >> 2;
  syncWarp(*b); // all lanes have read what came in earlier turns
  ifThen(lane == 0, [&] { arriveExpecting(barrier, Int(*b, (parts - 1) * kRowBytes)); });
  ifThen((lane & 3) == 0, [&] {
    for (int64_t distance = 1; distance < parts; ++distance)
      for (int64_t half : {0, 1})
        storeInCluster(received + (distance - 1) * kRowBytes + (row + 8 * half) * 4,
                       (rank + distance) & (parts - 1), {largest[half]}, barrier);
  });
  waitBarrier(barrier, (turn >> 1) & 1);
  Values all(largest);
  for (int64_t distance = 1; distance < parts; ++distance)
    for (int64_t half : {0, 1}) {
      Value other =
          load(received + (distance - 1) * kRowBytes + (row + 8 * half) * 4, b->getF32Type(), 4);
      all[half] = maxFloat(*b, all[half], other);
    }
  return all;
}
