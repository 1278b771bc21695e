#include "codegen/target/nvidia/hopper/BlockScaledProducer.h"

#include "codegen/target/nvidia/hopper/RowGather.h"

using namespace moec::hopper;

// Blocks of K whose weights are asked for while the launch before runs; the copy engine serves x
// behind them.
static constexpr int64_t kPrefetched = 16;
static constexpr int64_t kScaleBlocks = BlockScaledParts::kScaleBlocks;
// A warp of the producers that brings scales, while another one's first lane brings operands.
static constexpr int64_t kScaleWarp = 1, kScaleThreads = BlockScaledParts::kScaleThreads;

namespace {

class Producer {
public:
  explicit Producer(const BlockScaledParts &parts)
      : parts(parts), b(parts.b), problem(parts.problem), tile(parts.tile),
        operands(parts.operands), scales(parts.scales) {}

  void emit();

private:
  void walkOperands();
  void walkScales();
  void walkTogether();
  void forBlocks(
      const MbarrierRing &ring, int64_t step, const std::optional<Bool> &draws,
      llvm::function_ref<void(const TilePlace &)> startTile,
      llvm::function_ref<void(const TilePlace &, Int block, const MbarrierRing::Position &)> bring);
  Int countEarly() const { return min(parts.numBlocks, operands.getCount()); }
  void bringEarly();
  void bringOperands(const MbarrierRing::Position &position, const TilePlace &place,
                     const Int &block);
  void bringWeights(const MbarrierRing::Position &position, const TilePlace &place,
                    const Int &block);
  void bringScales(const MbarrierRing::Position &position, const TilePlace &place,
                   const RowGather &gather, const Int &block, const Int &thread);
  void copyRowScales(const MbarrierRing::Position &position, const TilePlace &place,
                     const Int &block);
  RowGather::Source getRowSource() const {
    RowGather::Source source{problem.xCodes, problem.k, problem.groups, std::nullopt};
    if (!parts.scaleMap)
      source.scales = problem.xScales;
    return source;
  }

  const BlockScaledParts &parts;
  Builder &b;
  const BlockScaledProblem &problem;
  const MatmulTile &tile;
  const MbarrierRing &operands, &scales;
};

} // namespace

void Producer::emit() {
  if (problem.isGathered())
    return walkTogether();
  Int producer = broadcast(RowGather::getThread(b) >> 5, 0);
  ifThen(
      producer == 0, [&] { ifThen(RowGather::getThread(b) == 0, [&] { walkOperands(); }); },
      [&] { ifThen(producer == kScaleWarp, [&] { walkScales(); }); });
}

/// Walks along `ring` over this block's blocks of K of all its tiles, `step` at a time.
void Producer::forBlocks(
    const MbarrierRing &ring, int64_t step, const std::optional<Bool> &draws,
    llvm::function_ref<void(const TilePlace &)> startTile,
    llvm::function_ref<void(const TilePlace &, Int, const MbarrierRing::Position &)> bring) {
  parts.forTiles(ring.getFillerStart().getValues(), draws,
                 [&](const TilePlace &place, mlir::ValueRange position) {
                   startTile(place);
                   return forLoop(Int(b, 0), parts.numBlocks, Int(b, step), position,
                                  [&](Int block, mlir::ValueRange carried) {
                                    auto at = ring.getPosition(carried);
                                    bring(place, block, at);
                                    return ring.advance(at).getValues();
                                  });
                 });
}

/// One thread.
void Producer::walkOperands() {
  if (parts.isEarly())
    bringEarly();
  parts.waitForLaunch();
  forBlocks(
      operands, 1, /*draws=*/Int(b, 0) == 0, [](const TilePlace &) {},
      [&](const TilePlace &place, Int block, const MbarrierRing::Position &at) {
        bringOperands(at, place, block);
      });
}

/// One warp.
void Producer::walkScales() {
  Int thread = getThread(b) & (kScaleThreads - 1);
  if (parts.isEarly()) {
    ifThen(parts.cluster < parts.numTiles, [&] {
      TilePlace first = parts.getPlace(parts.cluster, Int(b, 0));
      parts.getWeightScales(first).prefetch(parts.frame.getSlot(problem.wScales), thread);
    });
    parts.waitForLaunch();
  }
  RowGather gather(parts.frame, getRowSource(), tile.getBroughtRows(), thread, kScaleThreads);
  forBlocks(
      scales, kScaleBlocks, /*draws=*/std::nullopt,
      [&](const TilePlace &place) { gather.start(place); },
      [&](const TilePlace &place, Int block, const MbarrierRing::Position &at) {
        bringScales(at, place, gather, block, thread);
      });
}

/// All of the warpgroup's threads bring scattered rows, and scales on the way.
void Producer::walkTogether() {
  Int thread = RowGather::getThread(b);
  RowGather gather(parts.frame, getRowSource(), tile.getBroughtRows(), thread);
  Values init = join({operands.getFillerStart().getValues(), scales.getFillerStart().getValues()});
  parts.forTiles(
      init, /*draws=*/thread == 0, [&](const TilePlace &place, mlir::ValueRange positions) {
        gather.start(place);
        return forLoop(Int(b, 0), parts.numBlocks, Int(b, 1), positions,
                       [&](Int block, mlir::ValueRange carried) {
                         auto at = operands.getPosition(carried.take_front(2));
                         auto scale = scales.getPosition(carried.drop_front(2));
                         ifThen(thread == 0, [&] { bringOperands(at, place, block); });
                         // Who brings nothing does not wait: it could miss a phase.
                         operands.waitEmpty(at);
                         gather.bringRows(operands.getBuffer(at), block);
                         arriveAfterCopies(operands.getFull(at));
                         // A box of scales serves the next blocks too.
                         Bool isFirst = (block & (kScaleBlocks - 1)) == 0;
                         ifThen(isFirst, [&] { bringScales(scale, place, gather, block, thread); });
                         auto next = scales.advanceIf(scale, isFirst);
                         return join({operands.advance(at).getValues(), next.getValues()});
                       });
      });
}

/// Weights of the first tile's blocks of K, as many as there are buffers, before the wait for the
/// launch before. What is behind these goes into the second cache.
void Producer::bringEarly() {
  ifThen(parts.cluster < parts.numTiles, [&] {
    TilePlace place = parts.getPlace(parts.cluster, Int(b, 0));
    Int early = countEarly();
    forLoop(Int(b, 0), early, Int(b, 1), operands.getFillerStart().getValues(),
            [&](Int block, mlir::ValueRange carried) {
              auto at = operands.getPosition(carried);
              arriveExpecting(operands.getFull(at), Int(b, tile.getStageBytes()));
              bringWeights(at, place, parts.firstBlock + block);
              return operands.advance(at).getValues();
            });
    forLoop(early, min(parts.numBlocks, Int(b, kPrefetched)), Int(b, 1), [&](Int block) {
      for (int64_t wave = 0; wave < tile.columnWaves; ++wave)
        prefetchBox(b, parts.wMap,
                    {((parts.firstBlock + block) * 128).value, parts.getBoxRow(place, wave).value});
    });
  });
}

/// Of this block's `block`-th block of K, by one thread.
void Producer::bringOperands(const MbarrierRing::Position &position, const TilePlace &place,
                             const Int &block) {
  auto beginWithWeights = [&] {
    int64_t missing = problem.isGathered() ? tile.getBroughtRows() * 128 : 0;
    operands.beginFill(position, tile.getStageBytes() - missing);
    bringWeights(position, place, parts.firstBlock + block);
  };
  if (parts.isEarly())
    ifThen((place.turn == 0) & (block < countEarly()), [] {}, beginWithWeights);
  else
    beginWithWeights();
  if (!problem.isGathered())
    copyBox(operands.getBuffer(position), parts.xMap,
            {((parts.firstBlock + block) * 128).value, place.row.value},
            operands.getFull(position));
}

void Producer::bringWeights(const MbarrierRing::Position &position, const TilePlace &place,
                            const Int &block) {
  Shared weights = operands.getBuffer(position) + tile.getBroughtRows() * 128;
  for (int64_t wave = 0; wave < tile.columnWaves; ++wave) {
    Int row = parts.getBoxRow(place, wave);
    copyBox(weights + wave * tile.columns * 128, parts.wMap, {(block * 128).value, row.value},
            operands.getFull(position));
  }
}

/// By one thread, which arrives for the copy engine.
void Producer::copyRowScales(const MbarrierRing::Position &position, const TilePlace &place,
                             const Int &block) {
  arriveExpecting(scales.getFull(position), Int(b, tile.getBroughtRows() * 4 * kScaleBlocks));
  copyBox(scales.getBuffer(position), parts.scaleMap, {block.value, place.row.value},
          scales.getFull(position));
}

/// Of the block's `block`-th block of K and the next ones, kScaleBlocks in all, by as many threads
/// as the ring counts.
void Producer::bringScales(const MbarrierRing::Position &position, const TilePlace &place,
                           const RowGather &gather, const Int &block, const Int &thread) {
  Shared to = scales.getBuffer(position);
  Int first = parts.firstBlock + block;
  scales.waitEmpty(position);
  if (parts.scaleMap)
    ifThen(thread == 0, [&] { copyRowScales(position, place, first); });
  else
    gather.bringScales(to, first, kScaleBlocks);
  if (!parts.fetchesWeightScales())
    parts.getWeightScales(place).bring(to + tile.rows * 4 * kScaleBlocks,
                                       parts.frame.getSlot(problem.wScales), first, thread);
  arriveAfterCopies(scales.getFull(position));
}

void moec::hopper::emitBlockScaledProducer(const BlockScaledParts &parts) {
  Producer(parts).emit();
}
