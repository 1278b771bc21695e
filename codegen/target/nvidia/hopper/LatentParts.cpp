#include "codegen/target/nvidia/hopper/LatentParts.h"

using namespace moec::hopper;

static constexpr unsigned kTokens = 1; // of the dims

/// A box of 64 columns of some heads of a token.
static TensorMap makeQueryMap(unsigned slot, uint64_t offset, uint64_t columns, int64_t heads,
                              uint64_t headStride, uint64_t tokenStride, int64_t boxHeads) {
  TensorMap map;
  map.slot = slot;
  map.offset = offset;
  map.element = TensorMap::Element::BFloat16;
  map.sizes = {Extent::of(columns), Extent::of(heads), Extent::of(kTokens, 1)};
  map.strides = {headStride, tokenStride};
  map.box = {64, static_cast<uint32_t>(boxHeads), 1};
  map.swizzle = 128;
  return map;
}

/// A box of 128 bytes of a block of cached rows of `rowBytes`: of their `columns` from `offset` on.
static TensorMap makeCacheMap(unsigned slot, TensorMap::Element element, uint64_t offset,
                              uint64_t columns, uint64_t rowBytes) {
  TensorMap map;
  map.slot = slot;
  map.offset = offset;
  map.element = element;
  map.sizes = {Extent::of(columns), Extent::of(0)};
  map.strides = {rowBytes};
  map.box = {128 / map.getElementBytes(), ContextPlan::kBlockRows};
  map.swizzle = 128;
  return map;
}

LatentParts::LatentParts(KernelFrame &frame, const LatentProblem &problem, const LatentTile &tile)
    : frame(frame), b(frame.b), problem(problem), sizes(problem, tile), mostTokens(tile.tokens),
      memory(frame, problem.quantizedCache), worker(getBlock(b) / sizes.parts),
      part(getBlock(b) % sizes.parts),
      tiles(frame.getSlot(problem.slots.positions), frame.getSlot(problem.slots.sequences),
            frame.getDim(kTokens), tile.tokens) {
  constexpr int64_t kLatent = LatentProblem::kLatent, kRope = LatentProblem::kRope;
  latentMap = frame.addTensorMap(makeQueryMap(problem.slots.latentQuery, 0, kLatent, problem.heads,
                                              2 * kLatent, problem.latentStride, sizes.blockHeads));
  ropeMap = frame.addTensorMap(makeQueryMap(problem.slots.query, 2 * (problem.queryColumns - kRope),
                                            kRope, problem.heads, 2 * problem.queryColumns,
                                            problem.queryStride, sizes.blockHeads));
  using enum TensorMap::Element;
  constexpr int64_t kQuantized = LatentProblem::kQuantizedBytes;
  unsigned cache = problem.slots.cache;
  if (problem.quantizedCache) {
    cacheMap = frame.addTensorMap(makeCacheMap(cache, Byte, 0, kLatent, kQuantized));
    keyMap =
        frame.addTensorMap(makeCacheMap(cache, BFloat16, LatentProblem::kTail, kRope, kQuantized));
  } else {
    cacheMap = frame.addTensorMap(
        makeCacheMap(cache, BFloat16, 0, LatentProblem::kWidth, 2 * LatentProblem::kWidth));
  }
}

Bool LatentParts::hasRows(const TokenTiles::Tile &tile) const {
  int64_t partsOfToken = sizes.parts / mostTokens;
  return part / std::max<int64_t>(partsOfToken, 1) < tile.count;
}

Values
LatentParts::forEachPiece(mlir::ValueRange carried,
                          llvm::function_ref<Values(const Piece &, mlir::ValueRange)> body) const {
  if (sizes.parts == 1 || mostTokens == 1)
    return plan->forEachPiece(carried, body);
  return plan->forEachPiece(carried, [&](const Piece &piece, mlir::ValueRange before) {
    llvm::SmallVector<mlir::Type> types(before.getTypes());
    return choose(
        hasRows(piece.tile), types, [&] { return body(piece, before); },
        [&] { return Values(before); });
  });
}

BlockRows LatentParts::getRows(const Int &token, const TokenTiles::Tile &tile) const {
  if (problem.heads < 64)
    return {token, tile.count, getFirstHead()};
  return {token + part / (problem.heads / 64), Int(b, 1), getFirstHead()};
}

Int LatentParts::getFirstHead() const {
  return problem.heads < 64 ? Int(b, 0) : (part % (problem.heads / 64)) << 6;
}

Int LatentParts::getShortest(const BlockRows &rows, const TokenTiles::Tile &tile) const {
  return problem.heads < 64 || mostTokens == 1 ? tile.shortest : tiles.getLength(rows.token);
}

Int LatentParts::getLength(const BlockRows &rows, const Int &row) const {
  return tiles.getLength(rows.token + min(row / problem.heads, rows.count - 1));
}

Int LatentParts::countWarps(const BlockRows &rows) const {
  if (sizes.blockTokens == 1)
    return Int(b, sizes.rows / 16);
  return rows.count * (problem.heads / 16);
}

Int LatentParts::getCacheRow(const Int &entry, const Int &block) const {
  int64_t blocks = problem.page / ContextPlan::kBlockRows; // of a page
  Global table = frame.getSlot(problem.slots.blockTable);
  Int page(b, load(table.at(entry + block / blocks, 4), b.getI32Type(), 4));
  return page * problem.page + (block % blocks) * ContextPlan::kBlockRows;
}

Int LatentParts::getResultRow(const BlockRows &rows) const {
  return rows.token * problem.heads + rows.head;
}
