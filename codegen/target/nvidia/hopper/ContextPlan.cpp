#include "codegen/target/nvidia/hopper/ContextPlan.h"

#include "codegen/target/nvidia/hopper/WarpReduce.h"

using namespace moec::hopper;

static Int add(const Int &x, const Int &y) { return x + y; }

static Int toBlocks(const Int &rows) { return (rows + (ContextPlan::kBlockRows - 1)) >> 6; }

ContextPlan::ContextPlan(const TokenTiles &tiles, const Int &worker, const Limits &limits)
    : b(worker.b), tiles(tiles), lane(getThread(*worker.b) & 31) {
  sumUp(limits);
  low = worker * per;
  high = min(low + per, total);
  findFirst();
}

Int ContextPlan::sumOverTokens(llvm::function_ref<Int(Int token)> value) const {
  Values sum = forLoop(lane, tiles.getNumTokens(), Int(*b, 32), {Int(*b, 0).value},
                       [&](Int token, mlir::ValueRange carried) -> Values {
                         return {(Int(*b, carried[0]) + value(token)).value};
                       });
  return reduceWarp(Int(*b, sum[0]), add);
}

Int ContextPlan::countBlocksAt(const Int &token) const {
  Int blocks = toBlocks(tiles.get(token).longest);
  return tiles.getMost() == 1 ? blocks : select(tiles.isFirst(token), blocks, Int(*b, 0));
}

Int ContextPlan::countPieces(const Int &per) const {
  return sumOverTokens([&](Int token) { return ceilDiv(countBlocksAt(token), per); });
}

/// The total and the ranges' length.
void ContextPlan::sumUp(const Limits &limits) {
  Int workers(*b, limits.workers), least(*b, limits.leastBlocks);
  Int numTiles = tiles.getNumTokens();
  // Blocks, the longest tile's, tiles.
  Values sums = forLoop(lane, tiles.getNumTokens(), Int(*b, 32),
                        {Int(*b, 0).value, Int(*b, 0).value, Int(*b, 0).value},
                        [&](Int token, mlir::ValueRange carried) -> Values {
                          tiles.prefetchSequence(token);
                          Int blocks = countBlocksAt(token);
                          return {(Int(*b, carried[0]) + blocks).value,
                                  max(Int(*b, carried[1]), blocks).value,
                                  (Int(*b, carried[2]) + toInt(blocks != 0)).value};
                        });
  Int blocks = reduceWarp(Int(*b, sums[0]), add);
  if (limits.mostPieces)
    least = max(least, ceilDiv(reduceWarp(Int(*b, sums[1]), max), Int(*b, limits.mostPieces)));
  if (tiles.getMost() > 1)
    numTiles = reduceWarp(Int(*b, sums[2]), add);

  Int shortest = max(ceilDiv(blocks, workers), least);
  constexpr int64_t kTrials = 4;
  mlir::Type i32 = b->getI32Type();
  auto search = [&]() -> Values {
    Values found = whileLoop(
        *b, {shortest.value, countPieces(shortest).value, Int(*b, 0).value},
        [&](mlir::ValueRange trial) {
          return (workers < Int(*b, trial[1])) & (Int(*b, trial[2]) < kTrials);
        },
        [&](mlir::ValueRange trial) -> Values {
          Int longer = Int(*b, trial[0]) + 1 + (Int(*b, trial[0]) >> 5);
          return {longer.value, countPieces(longer).value, (Int(*b, trial[2]) + 1).value};
        });
    return {found[0], found[1]};
  };
  Values found = choose(workers >= numTiles, {i32, i32}, search, [&]() -> Values {
    return {shortest.value, Int(*b, limits.workers + 1).value};
  });
  Int aligned(*b, found[0]), pieces(*b, found[1]);
  isAligned = workers >= pieces;
  Int flat = blocks + numTiles * kTileCost;
  per = select(isAligned, aligned, max(ceilDiv(flat, workers), least));
  total = select(isAligned, aligned * pieces, flat);
}

Int ContextPlan::getCost(const Int &blocks) const {
  return select(isAligned, ceilDiv(blocks, per) * per, blocks + kTileCost);
}

/// The first tile that ends behind `low`: tokens are counted whose tile ends before, 32 at a time.
void ContextPlan::findFirst() {
  Int zero(*b, 0), tokens = tiles.getNumTokens();
  Values found =
      forLoop(zero, tokens, Int(*b, 32), {zero.value, zero.value, zero.value},
              [&](Int base, mlir::ValueRange carried) -> Values {
                Int token(*b, carried[0]), start(*b, carried[1]), before(*b, carried[2]);
                Int mine = base + lane, inside = min(mine, tokens - 1);
                Bool exists = mine < tokens;
                Int blocks = select(exists, countBlocksAt(inside), zero);
                Int cost = select(blocks != 0, getCost(blocks), zero), end = cost;
                for (int64_t distance : {1, 2, 4, 8, 16})
                  end = end + select(lane >= distance, shuffleUp(end, distance), zero);
                Int last = before + (end - cost) + blocks; // behind the tile's last block
                Int passed = countOnes(ballot(exists & (low >= last)));
                Int behind = shuffleFrom(before + end, minusOrZero(passed, Int(*b, 1)));
                start = select(passed != 0, behind, start);
                token = token + passed;
                if (tiles.getMost() > 1) { // on to where a tile begins; a window never crosses 32
                  Int begins = ballot((mine >= tokens) | (blocks != 0)) >> min(passed, Int(*b, 31));
                  Int skipped = min(countTrailingZeros(begins), Int(*b, 32) - passed);
                  token = token + select(passed < 32, skipped, zero);
                }
                return {token.value, start.value, (before + shuffleFrom(end, Int(*b, 31))).value};
              });
  firstToken = Int(*b, found[0]);
  firstStart = Int(*b, found[1]);
}

Values
ContextPlan::forEachPiece(mlir::ValueRange carried,
                          llvm::function_ref<Values(const Piece &, mlir::ValueRange)> body) const {
  Values init{firstToken.value, firstStart.value};
  llvm::append_range(init, carried);
  Values done = whileLoop(
      *b, init,
      [&](mlir::ValueRange at) {
        return (Int(*b, at[0]) < tiles.getNumTokens()) & (Int(*b, at[1]) < high);
      },
      [&](mlir::ValueRange at) {
        Piece piece;
        piece.token = Int(*b, at[0]);
        piece.start = Int(*b, at[1]);
        piece.tile = tiles.get(piece.token);
        piece.blocks = toBlocks(piece.tile.longest);
        piece.begin = minusOrZero(low, piece.start);
        piece.end = min(piece.blocks, high - piece.start);
        Values next{(piece.token + piece.tile.count).value,
                    (piece.start + getCost(piece.blocks)).value};
        llvm::append_range(next, body(piece, at.drop_front(2)));
        return next;
      });
  return Values(llvm::drop_begin(done, 2));
}

ContextPlan::Sharing ContextPlan::getSharing(const Int &start, const Int &blocks) const {
  return {start / per, (start + blocks - 1) / per};
}

Int ContextPlan::countOldRows() const {
  Int tokens = tiles.getNumTokens(), most(*b, -1);
  Int sequence = tiles.getSequence(min(firstToken, tokens - 1));
  Values least = forLoop(lane, tokens, Int(*b, 32), {most.value},
                         [&](Int token, mlir::ValueRange carried) -> Values {
                           Bool isOther = tiles.getSequence(token) != sequence;
                           Int row = select(isOther, most, tiles.getLength(token) - 1);
                           return {min(Int(*b, carried[0]), row).value};
                         });
  return reduceWarp(Int(*b, least[0]), min);
}
