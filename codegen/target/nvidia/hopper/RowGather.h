// What the copy engine cannot bring of x, by the threads of a warpgroup: rows of which a list says
// where they are, in the order in which warpgroup products read them; and scales, which it brings
// slowly, being 16 bytes of each row (these by a warp, too). The copies run by themselves and end
// at a ring's barrier.
#pragma once

#include "codegen/target/nvidia/hopper/TileOrder.h"

namespace moec::hopper {

class RowGather {
public:
  struct Source {
    unsigned rows; // slot: [..] rows of `rowBytes` bytes, a multiple of 128
    int64_t rowBytes;
    std::optional<RowGroups> groups;
    std::optional<unsigned> scales; // slot: f32 [.., rowBytes / 128]
  };
  static constexpr int64_t kThreads = 128;
  /// A thread's number among those of its warpgroup.
  static Int getThread(Builder &b) { return hopper::getThread(b) & (kThreads - 1); }

  /// For `thread` of `threads`, all but for scales, and tiles of `tileRows` rows.
  RowGather(KernelFrame &frame, const Source &source, int64_t tileRows, const Int &thread,
            int64_t threads = kThreads);

  /// Finds the rows of a tile. Of the rows from place.limit on nothing is brought.
  void start(const TilePlace &place);
  /// 128 bytes of all rows from byte `block` * 128 on, to `to` (on 1024 bytes): 16-byte chunk c of
  /// row r lies at chunk c ^ (r % 8).
  void bringRows(const Shared &to, const Int &block) const;
  /// The scales of `count` blocks from `block` on, of those there are: [row][count] f32.
  void bringScales(const Shared &to, const Int &block, int64_t count) const;

private:
  Int findRow(const TilePlace &place, const Int &inTile) const;

  KernelFrame *frame;
  Source source;
  int64_t tileRows;
  Int thread;
  int64_t threads;
  llvm::SmallVector<Int> wholeRows, scaleRows; // of x, that the thread copies from
};

} // namespace moec::hopper
