// The shared memory of attention over latents (LatentAttention.h) and its barriers.
//
//   buffers[2]   a block of 64 cached rows each: nine boxes of 64 columns x 128 bytes a row, as
//                TensorMap::ofOperand brings them; boxes 0..3 and 4..7 are the latent's halves, box
//                8 the rope key
//   queries      64 query rows, laid out alike
//   weights      a block's probabilities on their way from one warpgroup to the other, with the
//                rows' references and sums
//   pieces       what LatentPieces says
//
// Barriers lie one behind the other, so that all are reached from one register.
#pragma once

#include "codegen/target/nvidia/hopper/KernelFrame.h"

#include <array>

namespace moec::hopper {

/// Boxes that come and are freed together.
enum class BoxGroup { Left0, Left1, Right0, Right1, Rope };

class LatentMemory {
public:
  static constexpr int64_t kRows = 64, kBoxBytes = kRows * 128, kBoxes = 9, kRopeBox = 8;
  static constexpr int64_t kBlockBytes = kBoxes * kBoxBytes, kGroups = 5;

  /// `widens`: codes are made bf16 in the buffers.
  LatentMemory(KernelFrame &frame, bool widens);

  /// By one thread, then fenceBarrierInit and a barrier of the block.
  void initBarriers() const;

  Shared getBuffer(int64_t buffer) const { return buffers + buffer * kBlockBytes; }

  /// The boxes of a group: the first, and how many.
  static std::pair<int64_t, int64_t> getBoxes(BoxGroup group);
  /// The order in which a buffer is filled and read for its scores. The two buffers begin with
  /// different halves, because these are freed by different warpgroups.
  static std::array<BoxGroup, kGroups> getOrder(int64_t buffer);

  // Offsets from `barriers`.
  static int64_t getFull(int64_t buffer, BoxGroup group) { return getOffset(buffer, group); }
  static int64_t getEmpty(int64_t buffer, BoxGroup group) {
    return kEmpty + getOffset(buffer, group);
  }
  static int64_t getQueriesFull(BoxGroup group) { return kQueriesFull + getOffset(0, group); }
  static constexpr int64_t kEmpty = 8 * 2 * kGroups, kQueriesFull = 2 * kEmpty,
                           kQueriesEmpty = kQueriesFull + 8 * kGroups, kCombine = kQueriesEmpty + 8,
                           kPiece = kCombine + 8, kCodes = kPiece + 8;
  /// A group's codes are in its second box.
  static int64_t getCodesFull(int64_t buffer, BoxGroup group) {
    return kCodes + getOffset(buffer, group);
  }

  Shared buffers, queries, weights, pieces, barriers;

  static constexpr int64_t kPiecesBytes = 144;

  /// What is free once all blocks have been used: buffers and queries.
  static constexpr int64_t kFreeBytes = 3 * kBlockBytes;

private:
  bool widens;

  static int64_t getBarrierBytes(bool widens) { return widens ? kCodes + kEmpty : kCodes; }
  static int64_t getOffset(int64_t buffer, BoxGroup group) {
    return 8 * (buffer * kGroups + static_cast<int64_t>(group));
  }
};

} // namespace moec::hopper
