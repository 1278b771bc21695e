#include "codegen/target/nvidia/hopper/LatentMemory.h"

using namespace moec::hopper;

// Warps of a warpgroup, which free what only it reads, and of both.
static constexpr int64_t kWarps = 4, kAllWarps = 8;

LatentMemory::LatentMemory(KernelFrame &frame, bool widens)
    : buffers(frame.allocate(2 * kBlockBytes, 1024)), queries(frame.allocate(kBlockBytes, 1024)),
      weights(frame.allocate(kRows * 128 + 128 * 16)), pieces(frame.allocate(kPiecesBytes, 16)),
      barriers(frame.allocate(getBarrierBytes(widens), 8)), widens(widens) {}

void LatentMemory::initBarriers() const {
  for (int64_t offset = 0; offset < getBarrierBytes(widens); offset += 8) {
    bool isFull = offset < kEmpty, isEmpty = !isFull && offset < kQueriesFull;
    bool isRope = offset % (8 * kGroups) == 8 * static_cast<int64_t>(BoxGroup::Rope);
    bool isWidened = widens && isFull && !isRope; // by the warps of one warpgroup
    bool ofWarps = isEmpty || isWidened;
    initBarrier(barriers + offset, ofWarps ? kWarps : offset == kQueriesEmpty ? kAllWarps : 1);
  }
}

std::pair<int64_t, int64_t> LatentMemory::getBoxes(BoxGroup group) {
  if (group == BoxGroup::Rope)
    return {kRopeBox, 1};
  return {2 * static_cast<int64_t>(group), 2};
}

std::array<BoxGroup, LatentMemory::kGroups> LatentMemory::getOrder(int64_t buffer) {
  using enum BoxGroup;
  if (buffer == 0)
    return {Rope, Left0, Left1, Right0, Right1};
  return {Rope, Right0, Right1, Left0, Left1};
}
