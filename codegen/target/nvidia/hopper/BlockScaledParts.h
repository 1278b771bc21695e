// What the roles of a compute-bound FP8 product share (BlockScaledMatmul.h): the rings between
// them, which tiles and blocks of K a block has, and where a tile's weights and scales lie.
#pragma once

#include "codegen/target/nvidia/hopper/BlockScaledMatmul.h"
#include "codegen/target/nvidia/hopper/MbarrierRing.h"
#include "codegen/target/nvidia/hopper/TileTickets.h"
#include "codegen/target/nvidia/hopper/WarpRoles.h"
#include "codegen/target/nvidia/hopper/WeightScales.h"

namespace moec::hopper {

class BlockScaledParts {
public:
  /// Scales come in boxes of as many blocks of K as 16 bytes hold.
  static constexpr int64_t kScaleBlocks = MatmulTile::kScaleBlocks;
  /// Threads of the warp that brings scales where the copy engine brings x.
  static constexpr int64_t kScaleThreads = 32;

  BlockScaledParts(KernelFrame &frame, const BlockScaledProblem &problem, const MatmulTile &tile,
                   const EpilogueSpec &spec);

  /// By all threads: barriers, the list of tiles, this block's place among the others.
  void start();
  /// Before what the launch before wrote is read, or what it reads is written.
  void waitForLaunch() const;
  /// Whether the launch may start before the one before has ended, and knows its tiles then.
  bool isEarly() const {
    return frame.getShape().earlyLaunch && (!problem.groups || problem.groups->areSettled);
  }

  /// Whether the copy engine brings x's scales. With 16 bytes of each row it is slow, so it does
  /// where a block of K takes long, and a tile has several boxes; then it takes nobody's
  /// instructions.
  bool copiesScales() const {
    return !problem.isGathered() && blocks % kScaleBlocks == 0 && blocks > kScaleBlocks &&
           tile.rows * tile.getTileColumns() > 128 * 128;
  }
  /// Whether who multiplies reads the weight's scales from memory, a block of K ahead; otherwise
  /// they come with x's.
  bool fetchesWeightScales() const { return problem.groups.has_value(); }

  /// A tile's first weight row, in all matrices one behind the other.
  Int getBoxRow(const TilePlace &place, int64_t wave) const;
  WeightScales getWeightScales(const TilePlace &place) const;
  /// This block's part of the cluster's tile; `turn`: tiles that the block had before.
  TilePlace getPlace(const Int &index, const Int &turn) const;
  /// Calls `body(place, carried)` for each of the block's tiles. All threads of a role walk so; of
  /// one role, one thread `draws` the tiles' numbers.
  void forTiles(mlir::ValueRange init, const std::optional<Bool> &draws,
                llvm::function_ref<Values(const TilePlace &, mlir::ValueRange)> body) const;

  KernelFrame &frame;
  Builder &b;
  BlockScaledProblem problem;
  MatmulTile tile;
  WarpRoles roles;
  TileEpilogue epilogue;
  int64_t blocks; // of K
  MbarrierRing operands, scales;
  TileOrder order;
  std::optional<TileTickets> tickets;
  Value xMap, wMap, scaleMap; // of x and its scales: null when threads bring them
  Int numTiles;
  Int rank;                  // in the cluster
  Int firstBlock, numBlocks; // of K, this block's
  Int cluster, numClusters;
  Shared gathered, arrived; // sums of the cluster's other blocks, and their barrier

private:
  void addMaps();
  void addScaleMap();
  void startBarriers();
  void divideBlocks();
  bool sharesBandwidth() const { return tile.rows == 64 && tile.split == 1; }
  void shareBandwidth();
};

/// The values of all ranges, one range behind the other.
Values join(llvm::ArrayRef<mlir::ValueRange> ranges);

} // namespace moec::hopper
