// The first half of a step of ExpandedAttention: rows[p, n] = sum over k of latent[p, k] *
// weight[n, k], for the step's cached rows p and the 256 weight rows n of each of its heads, in
// tiles of 128 cached rows and a head. A block's tiles follow each other, heads first: the latents
// of a block of rows (128 x 512) stay in shared memory while the weights of heads pass by, in boxes
// of 128 rows x 64 columns. Two warpgroups have 64 rows each.
//
// E4M3 weights come as the bf16 values of their codes, made once a launch (`widen`); sums over 128
// columns are multiplied with their scale in f32.
#pragma once

#include "codegen/target/nvidia/hopper/ExpandedAttention.h"
#include "codegen/target/nvidia/hopper/MbarrierRing.h"
#include "codegen/target/nvidia/hopper/PromptSteps.h"
#include "codegen/target/nvidia/hopper/WgmmaTile.h"

namespace moec::hopper {

class LatentExpansion {
public:
  /// Shared memory from `data` on, which may be others' between steps: getSharedBytes. `cacheMap`
  /// has boxes of 64 rows and columns.
  LatentExpansion(KernelFrame &frame, const ExpandedProblem &problem, const ExpandedTile &tile,
                  const Shared &data, Value cacheMap);
  static int64_t getSharedBytes(const ExpandedTile &tile);

  /// By one thread.
  void initBarriers() const;
  /// By all threads of both warpgroups: the weight's codes as bf16, behind the expanded rows.
  void widen() const;

  /// What is carried from step to step: three i32 on either side.
  Values getProducerStart() const;
  Values getConsumerStart() const;
  /// By one warp.
  Values produce(const PromptStep &step, mlir::ValueRange carried) const;
  /// By both warpgroups.
  Values consume(const PromptStep &step, mlir::ValueRange carried) const;

  enum class Kind { Key, Value };
  /// The number of the row (of 128 bf16) of the scratch where a head's rows begin.
  Int getFirstRow(const PromptStep &step, const Int &headOfStep, Kind kind) const;

private:
  struct Range {
    Int begin, end;
  };
  Range getTiles(const PromptStep &step) const;
  void bringLatents(const PromptStep &step, const Int &block, const Int &parity) const;
  Values expand(const Int &head, Kind kind, const Int &parity, MbarrierRing::Position &at) const;
  void storeRows(const Int &firstRow, mlir::ValueRange sums) const;

  Builder &b;
  KernelFrame &frame;
  ExpandedProblem problem;
  ExpandedTile tile;
  MbarrierRing latents, weights;
  WgmmaTile product;
  Value cacheMap, weightMap;
  Int thread, lane, pages;
};

/// The number of the cached row where block `block` (of 64 rows) of a sequence begins.
Int findCachedRow(KernelFrame &frame, const ExpandedProblem &problem, const Int &sequence,
                  const Int &block, const Int &pages);

} // namespace moec::hopper
