// Heads that share keys and values, some of them a tile.
#include "codegen/kernels/attention/GqaTile.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/attention/ResultQuantize.h"
#include "codegen/kernels/matmul/MatrixSchedule.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

/// Queries of a tile, about: enough of them that fetching a block of positions weighs little.
static constexpr int64_t kQueries = 64;
/// Positions of a block. When a token has one group of queries nothing reads a block again: half as
/// many then, whose keys and values stay in the first cache.
static constexpr int64_t kPositions = 64;

//===----------------------------------------------------------------------===//
// Schedules
//===----------------------------------------------------------------------===//

/// Query heads that share a key-value head.
static int64_t countShared(moe::AttentionOp op) { return op.getHeads() / op.getKvHeads(); }

std::optional<std::string> GqaTile::refuse(moe::QuantizeOp op) {
  auto attention = op.getX().getDefiningOp<moe::AttentionOp>();
  if (!attention)
    return "the host's attention kernels quantize the attention's result, nothing else";
  return refuseQuantize(op, countShared(attention) * int64_t(attention.getValueDim()),
                        "a head group's");
}

/// Whether tiles of `heads` heads end on blocks of the kernel's quantization.
static bool endsOnBlocks(kern::KernelOp kernel, moe::AttentionOp op, int64_t heads) {
  for (auto quantize : kernel.getBody().front().getOps<moe::QuantizeOp>())
    if (heads < countShared(op) && refuseQuantize(quantize, heads * int64_t(op.getValueDim()), ""))
      return false;
  return true;
}

/// The time of one token's tiles, in scores of one head: each tile fetches its part of the context,
/// and few tiles leave workers idle.
static double getCost(moe::AttentionOp op, int64_t heads, const Machine &machine) {
  constexpr double fetch = 2;
  int64_t tiles = op.getKvHeads() * llvm::divideCeil(countShared(op), heads);
  double rounds = double(llvm::divideCeil(tiles, machine.workers));
  return rounds * (fetch + double(llvm::alignTo(heads, 2)));
}

SmallVector<Candidate> GqaTile::getCandidates(kern::KernelOp kernel, const Machine &machine) {
  auto op = findHero<moe::AttentionOp>(kernel);
  int64_t group = getTokenGroup(machine), shared = countShared(op);
  SmallVector<Candidate> candidates;
  for (int64_t parts = 1; parts <= shared; ++parts) {
    int64_t heads = llvm::divideCeil(shared, parts);
    bool again = parts > 1 && heads == int64_t(llvm::divideCeil(shared, parts - 1));
    if (again || !endsOnBlocks(kernel, op, heads))
      continue;
    int64_t positions = heads > group ? kPositions : kPositions / 2;
    candidates.push_back(
        {makeSchedule(kernel.getContext(), {{"vector", machine.floatLanes()},
                                            {"heads", heads},
                                            {"tokens", std::max<int64_t>(kQueries / heads, 1)},
                                            {"group", group},
                                            {"positions", positions}}),
         getCost(op, heads, machine)});
  }
  return candidates;
}

int64_t GqaTile::countTiles(moe::AttentionOp op, kern::ScheduleAttr schedule) {
  return op.getKvHeads() * llvm::divideCeil(countShared(op), schedule.get("heads"));
}

//===----------------------------------------------------------------------===//
// The tile
//===----------------------------------------------------------------------===//

FailureOr<GqaTile> GqaTile::get(TileFunction &tile, moe::AttentionOp op) {
  FailureOr<moe::QuantizeOp> quantize = findQuantize(op, refuse);
  if (failed(quantize))
    return failure();
  return GqaTile(tile, op, *quantize);
}

static SoftmaxTile::Sizes getSoftmaxSizes(const TileFunction &tile, moe::AttentionOp op) {
  int64_t queries = tile.getScheduleSize("tokens") * tile.getScheduleSize("heads"),
          group = tile.getScheduleSize("group");
  return {.lanes = tile.getScheduleSize("vector"),
          .queries = static_cast<int64_t>(llvm::alignTo(queries, group)),
          .group = group,
          .positions = tile.getScheduleSize("positions"),
          .keyColumns = int64_t(op.getKeyDim()),
          .valueColumns = int64_t(op.getValueDim()),
          .scale = op.getScale().convertToDouble()};
}

GqaTile::GqaTile(TileFunction &tile, moe::AttentionOp op, moe::QuantizeOp quantize)
    : tile(tile), op(op), quantize(quantize), b(tile.b), lanes(tile.getScheduleSize("vector")),
      keyDim(op.getKeyDim()), valueDim(op.getValueDim()), shared(countShared(op)),
      headBlock(tile.getScheduleSize("heads")),
      cache(tile, op.getCache(), op.getBlockTable(), lanes),
      runs(tile, op.getPositions(), op.getSequences()), softmax(tile, getSoftmaxSizes(tile, op)),
      keyBlock(allocateRows(tile, keyDim)), valueBlock(allocateRows(tile, valueDim)) {
  if (quantize)
    staged = tile.allocate({1, headBlock * valueDim}, b.getF32Type());
}

void GqaTile::emit() {
  // Tiles that read the same keys follow each other.
  Value tiles = constantIndex(b, countTiles(op, *tile.kernel.getSchedule())),
        blocks = constantIndex(b, llvm::divideCeil(shared, headBlock));
  Value index = arith::RemUIOp::create(b, tile.getTile(), tiles);
  keyHead = arith::DivUIOp::create(b, index, blocks);
  Value inside = mulIndex(b, arith::RemUIOp::create(b, index, blocks), headBlock);
  firstHead = arith::AddIOp::create(b, mulIndex(b, keyHead, shared), inside);
  headCount = arith::MinUIOp::create(b, arith::SubIOp::create(b, constantIndex(b, shared), inside),
                                     constantIndex(b, headBlock));

  int64_t tokens = tile.getScheduleSize("tokens");
  Value first = mulIndex(b, arith::DivUIOp::create(b, tile.getTile(), tiles), tokens);
  Value last = arith::MinUIOp::create(b, addIndex(b, first, tokens), tile.getResult(0).rows);
  runs.forEach(first, last,
               [&](Value begin, Value end, Value context) { emitRun(begin, end, context); });
}

void GqaTile::emitRun(Value begin, Value end, Value context) {
  Value count = arith::SubIOp::create(b, end, begin);
  Value sequence = runs.loadSequence(begin);
  stageQueries(begin, count);
  softmax.start(mulIndex(b, count, headBlock));
  Value keyColumn = mulIndex(b, keyHead, keyDim),
        valueColumn = addIndex(b, mulIndex(b, keyHead, valueDim), op.getKvHeads() * keyDim);
  int64_t size = tile.getScheduleSize("positions");
  forRange(b, constantIndex(b, 0), context, size, [&](Value position) {
    Value left = arith::SubIOp::create(b, context, position);
    Value block = arith::MinUIOp::create(b, left, constantIndex(b, size));
    cache.fetch(sequence, position, block,
                {{keyColumn, keyDim, keyBlock}, {valueColumn, valueDim, valueBlock}});
    softmax.update(keyBlock, valueBlock, [&](Value query) {
      Value token = arith::DivUIOp::create(b, query, constantIndex(b, headBlock));
      return runs.countSeen(addIndex(b, begin, token), position, block);
    });
  });
  storeResult(begin, count);
}

void GqaTile::stageQueries(Value begin, Value count) {
  Value from = tile.getArgument(op.getQ()).data, into = softmax.getQueries(),
        zero = constantIndex(b, 0);
  // The last head stands in for those behind it.
  Value lastHead = addIndex(b, headCount, -1);
  forRange(b, zero, count, 1, [&](Value i) {
    forRange(b, zero, constantIndex(b, headBlock), 1, [&](Value j) {
      Value head = addIndex(b, firstHead, arith::MinUIOp::create(b, j, lastHead).getResult());
      Value query = addIndex(b, mulIndex(b, i, headBlock), j);
      copyColumns(b, lanes, from, addIndex(b, begin, i), mulIndex(b, head, keyDim), keyDim, into,
                  query, 0);
      zeroTail(b, lanes, into, query, keyDim);
    });
  });
}

void GqaTile::storeResult(Value begin, Value count) {
  Value zero = constantIndex(b, 0), first = mulIndex(b, firstHead, valueDim);
  forRange(b, zero, count, 1, [&](Value i) {
    Value token = addIndex(b, begin, i);
    forRange(b, zero, headCount, 1, [&](Value j) {
      Value query = addIndex(b, mulIndex(b, i, headBlock), j), inside = mulIndex(b, j, valueDim);
      forColumns(b, valueDim, lanes, [&](Value column, int64_t width) {
        Value loaded = softmax.load(query, column, width), at = addIndex(b, inside, column);
        if (quantize)
          storeFloats(b, roundFloats(b, loaded, op.getType()), staged, {zero, at});
        for (unsigned result : tile.getResultsOf(op.getResult()))
          storeFloats(b, loaded, tile.getResult(result).data, {token, addIndex(b, first, at)});
      });
    });
    if (quantize)
      storeQuantized(tile, quantize, staged, token, first, mulIndex(b, headCount, valueDim));
  });
}
