#include "codegen/target/nvidia/hopper/LatentExpansion.h"

#include "codegen/target/nvidia/hopper/QuadShuffle.h"
#include "codegen/target/nvidia/hopper/WidenCodes.h"

using namespace moec::hopper;
using mlir::ValueRange;

static constexpr int64_t kPart = ExpandedProblem::kPart, kLatent = ExpandedProblem::kLatent;
static constexpr int64_t kBoxColumns = 64, kBoxes = kLatent / kBoxColumns;
static constexpr int64_t kBlockRows = PromptStep::kBlockRows, kHalfRows = 64;
static constexpr int64_t kBufferBytes = kBlockRows * kBoxColumns * 2; // latents or weights
static constexpr int64_t kRowBytes = kPart * 2;                       // expanded
static constexpr int64_t kConsumerThreads = 256;
static constexpr unsigned kPages = 4;

static TensorMap makeWeightMap(const ExpandedProblem &problem, const ExpandedTile &tile) {
  uint64_t offset = problem.scales ? tile.getExpandedBytes() : 0;
  TensorMap map = TensorMap::ofOperand(problem.scales ? problem.scratch : problem.weight,
                                       kLatent * 2, Extent::of(problem.heads * 2 * kPart), kPart);
  map.offset = offset;
  map.element = TensorMap::Element::BFloat16;
  map.sizes[0] = Extent::of(kLatent);
  map.box[0] = kBoxColumns;
  return map;
}

LatentExpansion::LatentExpansion(KernelFrame &frame, const ExpandedProblem &problem,
                                 const ExpandedTile &tile, const Shared &data, Value cacheMap)
    : b(frame.b), frame(frame), problem(problem), tile(tile),
      latents(frame, data, kBoxes, kBufferBytes),
      weights(frame, data + kBoxes * kBufferBytes, tile.weightStages, kBufferBytes),
      product(b, Operand::BFloat16, kPart), cacheMap(cacheMap),
      weightMap(frame.addTensorMap(makeWeightMap(problem, tile))), thread(getThread(b)),
      lane(thread & 31), pages(frame.getDim(kPages)) {}

int64_t LatentExpansion::getSharedBytes(const ExpandedTile &tile) {
  return (kBoxes + tile.weightStages) * kBufferBytes;
}

void LatentExpansion::initBarriers() const {
  constexpr int64_t kWarps = kConsumerThreads / 32;
  latents.init(1, kWarps);
  weights.init(1, kWarps);
  prefetchMap(b, weightMap);
}

void LatentExpansion::widen() const {
  constexpr int64_t kChunk = 16, kAtOnce = 4; // codes
  Global codes = frame.getSlot(problem.weight);
  Global values = frame.getSlot(problem.scratch) + tile.getExpandedBytes();
  Int chunks(b, problem.heads * 2 * kPart * kLatent / kChunk);
  Int step = getNumBlocks(b) * kConsumerThreads;
  Int first = getBlock(b) * kConsumerThreads + thread;
  forLoop(first, chunks, step * kAtOnce, [&](Int chunk) {
    std::array<Values, kAtOnce> read;
    for (int64_t i = 0; i < kAtOnce; ++i)
      read[i] = loadStreaming(codes.at(min(chunk + step * i, chunks - 1), kChunk));
    for (int64_t i = 0; i < kAtOnce; ++i) {
      Values wide;
      for (Value four : read[i])
        wide.append(widenE4M3(b, four));
      Global to = values.at(min(chunk + step * i, chunks - 1), 2 * kChunk);
      store(makeVector(b, ValueRange(wide).take_front(4)), to, 16);
      store(makeVector(b, ValueRange(wide).drop_front(4)), to + 16, 16);
    }
  });
}

// Carried: the parity of all buffers of latents, the place in the ring of weights.
Values LatentExpansion::getProducerStart() const {
  Values start{Int(b, 1).value};
  start.append(weights.getFillerStart().getValues());
  return start;
}

Values LatentExpansion::getConsumerStart() const {
  Values start{Int(b, 0).value};
  start.append(weights.getUserStart().getValues());
  return start;
}

Int LatentExpansion::getFirstRow(const PromptStep &step, const Int &headOfStep, Kind kind) const {
  Int head = (headOfStep << 1) + (kind == Kind::Value ? 1 : 0);
  return (step.number & 1) * (2 * tile.rows) + head * step.paddedLength;
}

/// This block's, numbered by blocks of rows, then heads.
LatentExpansion::Range LatentExpansion::getTiles(const PromptStep &step) const {
  Int all = step.paddedLength / kBlockRows * step.heads;
  Int share = ceilDiv(all, getNumBlocks(b)), begin = getBlock(b) * share;
  return {begin, min(begin + share, all)};
}

//===----------------------------------------------------------------------===//
// The warp that brings latents and weights
//===----------------------------------------------------------------------===//

Int moec::hopper::findCachedRow(KernelFrame &frame, const ExpandedProblem &problem,
                                const Int &sequence, const Int &block, const Int &pages) {
  Builder &b = frame.b;
  int64_t blocksAPage = problem.page / 64;
  Global table = frame.getSlot(problem.blockTable);
  Int id(b, load(table.at(sequence * pages + block / blocksAPage, 4), b.getI32Type(), 4));
  return id * problem.page + block % blocksAPage * 64;
}

/// Rows behind the context's end: those of its last 64 once more, which nobody attends to.
void LatentExpansion::bringLatents(const PromptStep &step, const Int &block,
                                   const Int &parity) const {
  Int last = ceilDiv(step.length, kHalfRows) - 1;
  std::array<Int, 2> rows;
  for (unsigned half : {0, 1})
    rows[half] = findCachedRow(frame, problem, step.sequence, min(block * 2 + half, last), pages);
  ifThen(lane == 0, [&] {
    for (int64_t box = 0; box < kBoxes; ++box) {
      MbarrierRing::Position at{Int(b, box), parity};
      latents.beginFill(at, kBufferBytes);
      for (unsigned half : {0, 1})
        copyBox(latents.getBuffer(at) + half * (kBufferBytes / 2), cacheMap,
                {Int(b, box * kBoxColumns).value, rows[half].value}, latents.getFull(at));
    }
  });
}

Values LatentExpansion::produce(const PromptStep &step, ValueRange carried) const {
  Range mine = getTiles(step);
  return forLoop(mine.begin, mine.end, Int(b, 1), carried, [&](Int number, ValueRange at) {
    Int block = number / step.heads, head = number % step.heads, parity(b, at[0]);
    Values next = choose((number == mine.begin) | (head == 0), {b.getI32Type()},
                         [&]() -> Values {
                           bringLatents(step, block, parity);
                           return {(parity ^ 1).value};
                         },
                         [&]() -> Values { return {parity.value}; });
    Int firstRow = (step.firstHead + head) * (2 * kPart);
    next.append(forLoop(
        Int(b, 0), Int(b, 2 * kBoxes), Int(b, 1), at.drop_front(1), [&](Int box, ValueRange at) {
          MbarrierRing::Position position = weights.getPosition(at);
          ifThen(lane == 0, [&] {
            weights.beginFill(position, kBufferBytes);
            copyBox(weights.getBuffer(position), weightMap,
                    {(box % kBoxes * kBoxColumns).value, (firstRow + box / kBoxes * kPart).value},
                    weights.getFull(position));
          });
          return weights.advance(position).getValues();
        }));
    return next;
  });
}

//===----------------------------------------------------------------------===//
// The warpgroups that multiply
//===----------------------------------------------------------------------===//

/// The warpgroup's 64 x 128 sums of a head's keys or values.
Values LatentExpansion::expand(const Int &head, Kind kind, const Int &parity,
                               MbarrierRing::Position &at) const {
  constexpr int64_t kScaled = 128; // columns of the weight that share a scale
  Int warpgroup = broadcast(thread >> 7, 0);
  Bool isLeader = lane == 0;
  Values scales;
  if (problem.scales) {
    Global row = frame.getSlot(*problem.scales)
                     .at((head << 1) + (kind == Kind::Value ? 1 : 0), kLatent / kScaled * 4);
    auto type = mlir::VectorType::get(kLatent / kScaled, b.getF32Type());
    scales = getElements(b, load(row, type, 16, /*constant=*/true));
  }
  Values sums;
  for (int64_t column = 0; column < kLatent; column += kScaled) {
    std::array<MbarrierRing::Position, 2> places{at, weights.advance(at)};
    at = weights.advance(places[1]);
    Value flying;
    if (!problem.scales && !sums.empty())
      flying = makeStruct(b, sums);
    for (unsigned i : {0, 1}) {
      latents.waitFull({Int(b, column / kBoxColumns + i), parity});
      weights.waitFull(places[i]);
    }
    fenceProducts(b);
    for (unsigned i : {0, 1}) {
      Shared x = latents.getBuffer({Int(b, column / kBoxColumns + i), parity}) +
                 warpgroup * (kBufferBytes / 2);
      flying = product.add(product.describeFixed(x),
                           product.describeFixed(weights.getBuffer(places[i])), flying);
    }
    commitProducts(b);
    Values part = product.wait(flying);
    for (unsigned i : {0, 1})
      weights.release(places[i], isLeader);
    if (!problem.scales) {
      sums = part;
      continue;
    }
    for (auto [i, value] : llvm::enumerate(part)) {
      Value scaled = column ? fma(b, value, scales[column / kScaled], sums[i])
                            : multiplyFloat(b, value, scales[0]);
      if (column)
        sums[i] = scaled;
      else
        sums.push_back(scaled);
    }
    sums = anchor(b, sums);
  }
  return sums;
}

/// 64 rows of 128 bf16 from row `firstRow` of the scratch on.
void LatentExpansion::storeRows(const Int &firstRow, ValueRange sums) const {
  constexpr int64_t kColumns = 32; // whose 16-byte parts go to the lanes of a quad
  Int row = firstRow + ((thread >> 5) & 3) * 16 + (lane >> 2);
  for (unsigned half : {0, 1}) {
    Global to = frame.getSlot(problem.scratch).at(row + 8 * half, kRowBytes) + ((lane & 3) << 4);
    for (int64_t column = 0; column < kPart; column += kColumns) {
      Values items;
      for (int64_t block = column / 8; block < (column + kColumns) / 8; ++block)
        items.push_back(
            packBFloat16(b, sums[4 * block + 2 * half], sums[4 * block + 2 * half + 1]));
      store(makeVector(b, transposeQuad(b, lane, items)), to + column * 2, 16);
    }
  }
}

Values LatentExpansion::consume(const PromptStep &step, ValueRange carried) const {
  Range mine = getTiles(step);
  Int warpgroup = broadcast(thread >> 7, 0);
  return forLoop(mine.begin, mine.end, Int(b, 1), carried, [&](Int number, ValueRange at) {
    Int block = number / step.heads, head = number % step.heads, parity(b, at[0]);
    MbarrierRing::Position position = weights.getPosition(at.drop_front(1));
    for (Kind kind : {Kind::Key, Kind::Value}) {
      Values sums = expand(step.firstHead + head, kind, parity, position);
      if (kind == Kind::Value) {
        Bool isLast = (number + 1 == mine.end) | (head + 1 == step.heads);
        for (int64_t box = 0; box < kBoxes; ++box)
          latents.release({Int(b, box), parity}, isLast & (lane == 0));
        parity = select(isLast, parity ^ 1, parity);
      }
      storeRows(getFirstRow(step, head, kind) + block * kBlockRows + warpgroup * kHalfRows, sums);
    }
    Values next{parity.value};
    next.append(position.getValues());
    return next;
  });
}
