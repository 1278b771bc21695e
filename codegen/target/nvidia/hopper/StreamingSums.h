// The sums of a streamed product (StreamingMatmul.h): each warp has those of its part of K, and
// leaves them in shared memory; whoever needs a result adds them up.
#pragma once

#include "codegen/target/nvidia/hopper/KernelFrame.h"
#include "codegen/target/nvidia/hopper/StreamingTile.h"

#include <array>

namespace moec::hopper {

class StreamingSums {
public:
  /// `waves`: 2 with gates and what they gate.
  StreamingSums(KernelFrame &frame, const StreamingTile &tile, int64_t waves);

  /// Where a lane's sums belong: its row and its quad's lane in a fragment, its warp among those of
  /// rows and of K.
  struct Place {
    Int row, quad, rowWarp, kWarp;
  };
  /// Of a token, a pair of columns for each 8 weight rows of the warp, wave by wave.
  int64_t countValues() const { return octets * getValuesPerOctet(); }
  int64_t getValuesPerOctet() const { return tile.tokens == 1 ? 2 : 4; }

  /// `sums`: [8 weight rows][half of 16 tokens][column of a pair].
  void keep(const Place &place, mlir::ValueRange sums) const;
  /// Of each wave, the sums of all warps of K, in order, of two columns.
  llvm::SmallVector<std::array<Value, 2>, 2> add(const Int &token, const Int &inBlock) const;

private:
  Builder &b;
  StreamingTile tile;
  int64_t waves;
  int64_t warpRows; // weight rows of a warp, of each wave
  int64_t octets;   // of 8 weight rows, of a warp
  Shared partial;   // [warp of K][token][wave][row of the block]
};

} // namespace moec::hopper
