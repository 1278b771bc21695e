// Which of a launch's tiles a block takes next, where it is not settled from the start: blocks draw
// numbers from a counter in device memory. So tiles begin in their order, and those beside each
// other at about the same time, for as long as the launch lasts: what one reads from memory the
// others find in the second cache. Blocks with tiles of their own drift apart.
#pragma once

#include "codegen/target/nvidia/hopper/MbarrierRing.h"

namespace moec::hopper {

class TileTickets {
public:
  /// Counters of the kernel ABI: zero before a launch and behind it.
  static constexpr int64_t kCounters = 2; // numbers drawn; blocks that have ended

  /// `counters`: their slot.
  TileTickets(KernelFrame &frame, unsigned counters);

  /// By one thread, as MbarrierRing::init. `takers`: threads that go through the tiles.
  void init(int64_t takers) const;
  /// By one of the takers, when it begins with a tile: the index of the block's next one. It is
  /// under way until it is used.
  Int draw() const;
  /// By the same, behind its tile number `turn`: tells all takers.
  void tell(const Int &turn, const Int &next) const;
  /// By each taker behind its tile number `turn`: the next one's index. Where there is no such
  /// tile, the launch has no more.
  Int take(const Int &turn) const;
  /// By who draws, when there are no more.
  void finish() const;

private:
  Builder &b;
  Global counters;
  MbarrierRing ring;
};

} // namespace moec::hopper
