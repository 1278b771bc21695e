#include "codegen/target/nvidia/hopper/NormRows.h"

#include "codegen/target/nvidia/hopper/WarpReduce.h"

using namespace moec::hopper;

static constexpr int64_t kMostRows = RowNorm::kMostRows, kMostWarps = 8;
static constexpr int64_t kChunk = 8, kChunkBytes = 16, kChunksOfBox = 8, kBoxRowBytes = 128;
static constexpr int64_t kBarrier = 2;

NormRows::NormRows(KernelFrame &frame, const DenseProblem &problem, int64_t threads)
    : frame(frame), b(frame.b), problem(problem), threads(threads),
      weight(frame.allocate(2 * problem.k, kChunkBytes)),
      parts(frame.allocate(kMostRows * kMostWarps * 4, 16)), thread(getThread(b)) {}

int64_t NormRows::getSharedBytes(int64_t k) { return 2 * k + kMostRows * kMostWarps * 4 + 32; }

void NormRows::meet() const { syncNamed(b, Int(b, kBarrier), threads); }

static mlir::VectorType getChunkType(Builder &b) {
  return mlir::VectorType::get(4, b.getI32Type());
}

void NormRows::bringWeight() const {
  Global from = frame.getSlot(problem.norm->weight);
  forLoop(thread, Int(b, problem.k / kChunk), Int(b, threads), [&](Int index) {
    Value line = load(from.at(index, kChunkBytes), getChunkType(b), kChunkBytes, /*constant=*/true);
    store(line, weight + index * kChunkBytes, kChunkBytes);
  });
}

/// Of a row: this thread's part.
Value NormRows::sumSquares(const Int &ownRow) const {
  Global from = frame.getSlot(problem.x).at(ownRow, 2 * problem.k);
  Value zero = constantFloat(b, 0);
  return forLoop(thread, Int(b, problem.k / kChunk), Int(b, threads), {zero},
                 [&](Int index, mlir::ValueRange carried) {
                   Value sum = carried[0];
                   Value line = load(from.at(index, kChunkBytes), getChunkType(b), kChunkBytes);
                   for (Value pair : getElements(b, line))
                     for (unsigned half : {0, 1}) {
                       Value x = unpackBFloat16(b, pair, half);
                       sum = fma(b, x, x, sum);
                     }
                   return Values{sum};
                 })[0];
}

void NormRows::start(int64_t boxes) {
  Int lane = thread & 31, warp = thread >> 5;
  numRows = min(frame.getDim(problem.rowsDim) * problem.rowsMultiplier, Int(b, kMostRows));
  forLoop(Int(b, 0), numRows, Int(b, 1), [&](Int ownRow) {
    Value sum =
        reduceWarp(b, sumSquares(ownRow), [&](Value x, Value y) { return addFloat(b, x, y); });
    ifThen(lane == 0, [&] { store(sum, parts + (ownRow * kMostWarps + warp) * 4, 4); });
  });
  meet();
  row = thread / (kChunksOfBox * boxes);
  box = thread / kChunksOfBox % boxes;
  chunk = thread % kChunksOfBox;
  Value sum = constantFloat(b, 0);
  for (int64_t i = 0; i < threads / 32; ++i) {
    Int place = min(row, Int(b, kMostRows - 1)) * kMostWarps + i;
    sum = addFloat(b, sum, load(parts + place * 4, b.getF32Type(), 4));
  }
  Value mean = multiplyFloat(b, sum, constantFloat(b, 1.0 / double(problem.k)));
  factor = rsqrtFast(b, addFloat(b, mean, constantFloat(b, problem.norm->epsilon)));
}

void NormRows::apply(const Shared &x, int64_t boxRows, const Int &firstBox) const {
  ifThen(row < numRows, [&] {
    Int swizzled = chunk ^ (row & (kChunksOfBox - 1));
    Shared place = x + (box * boxRows + row) * kBoxRowBytes + swizzled * kChunkBytes;
    Int column = (firstBox + box) * kChunksOfBox + chunk;
    Values values = getElements(b, load(place, getChunkType(b), kChunkBytes));
    Values weights =
        getElements(b, load(weight + column * kChunkBytes, getChunkType(b), kChunkBytes));
    Values scaled;
    for (auto [value, by] : llvm::zip(values, weights)) {
      auto get = [&](unsigned half) {
        Value normal = multiplyFloat(b, unpackBFloat16(b, value, half), factor);
        return multiplyFloat(b, normal, unpackBFloat16(b, by, half));
      };
      scaled.push_back(packBFloat16(b, get(0), get(1)));
    }
    store(makeVector(b, scaled), place, kChunkBytes);
  });
  fenceCopies(b); // what threads wrote is read by the products
  meet();
}
