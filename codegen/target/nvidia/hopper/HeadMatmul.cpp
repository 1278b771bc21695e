// The weight is the product's left operand: its rows (K side by side), or, transposed, its columns
// (rows side by side). In both forms shared memory has boxes of 64 columns, 128 bytes a row.
#include "codegen/target/nvidia/hopper/HeadMatmul.h"

#include "codegen/target/nvidia/hopper/WgmmaTile.h"
#include "codegen/target/nvidia/hopper/WidenCodes.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/STLExtras.h"

using namespace moec::hopper;

static constexpr int64_t kWarpgroups = 2, kThreads = 128 * kWarpgroups;
static constexpr int64_t kBox = 64; // columns of a box of bf16, rows of a product
static constexpr int64_t kScaleSize = 128;
static constexpr int64_t kPadding = 4; // f32 between tokens' sums: other banks

std::optional<std::string> HeadProblem::refuse() const {
  auto isWhole = [](int64_t x) { return x % kBox == 0; };
  if (!isWhole(getInner()) || !isWhole(getColumns()))
    return "a head's " + std::to_string(getInner()) + " x " + std::to_string(getColumns()) +
           " weights are no multiples of 64 x 64";
  if (!isWhole(weightRows) || !isWhole(weightOffset))
    return "a head's weights do not begin at a multiple of 64 rows";
  if (weightColumns % (scales ? kScaleSize : kBox))
    return "the weight's " + std::to_string(weightColumns) +
           " columns do not fill blocks of scales";
  if (xColumns % 8 || xOffset % 8 || xRowBytes % 16)
    return "a head's part of x does not begin on 16 bytes";
  if (getHeadTiles(*this, 1).empty())
    return "a head's " + std::to_string(getInner()) + " x 64 weights do not fit shared memory";
  return std::nullopt;
}

/// Rows and columns of the weight that a block reads.
static int64_t getPartRows(const HeadTile &tile, const HeadProblem &problem) {
  return problem.transposed ? problem.getInner() : tile.columns;
}
static int64_t getPartColumns(const HeadTile &tile, const HeadProblem &problem) {
  return problem.transposed ? tile.columns : problem.getInner();
}

/// Warpgroups that share the inner index of the same columns.
static int64_t getInnerParts(const HeadTile &tile) { return kWarpgroups * kBox / tile.columns; }

/// What tokens take: x, and their sums.
static int64_t getTokenBytes(const HeadTile &tile, const HeadProblem &problem) {
  return tile.tokens * problem.getInner() * 2 +
         getInnerParts(tile) * tile.tokens * (tile.columns + kPadding) * 4;
}

int64_t HeadTile::getSharedBytes(const HeadProblem &problem) const {
  int64_t weights = columns * problem.getInner();
  return weights * 2 + std::max(getTokenBytes(*this, problem), problem.scales ? weights : 0) +
         1024 + 256;
}

bool HeadTile::fits(const HeadProblem &problem) const {
  return problem.getColumns() % columns == 0 &&
         problem.getInner() % (kBox * getInnerParts(*this)) == 0 &&
         getSharedBytes(problem) <= KernelFrame::kMaxSharedBytes;
}

llvm::SmallVector<HeadTile> moec::hopper::getHeadTiles(const HeadProblem &problem, int64_t rows) {
  llvm::SmallVector<HeadTile> tiles;
  // The fewest tokens that hold all rows, else as many as there can be; wide blocks as long as a
  // multiprocessor has room for three.
  llvm::SmallVector<int64_t> tokens = {8, 16, 32, 64, 128};
  llvm::sort(tokens, [&](int64_t x, int64_t y) {
    auto key = [&](int64_t count) {
      return std::pair(count < rows, count < rows ? -count : count);
    };
    return key(x) < key(y);
  });
  for (int64_t count : tokens) {
    HeadTile narrow{count, 64}, wide{count, 128};
    bool isSmall = 3 * wide.getSharedBytes(problem) <= KernelFrame::kMaxSharedBytes;
    for (const HeadTile &tile : {isSmall ? wide : narrow, isSmall ? narrow : wide})
      if (tile.fits(problem))
        tiles.push_back(tile);
  }
  return tiles;
}

LaunchShape moec::hopper::getLaunchShape(const HeadTile &tile) {
  LaunchShape shape;
  shape.threads = kThreads;
  shape.minBlocks = tile.tokens > 64 ? 1 : 2;
  return shape;
}

int64_t moec::hopper::getNumBlocks(const HeadTile &tile, const HeadProblem &problem) {
  return problem.heads * (problem.getColumns() / tile.columns);
}

namespace {

class Kernel {
public:
  Kernel(KernelFrame &frame, const HeadProblem &problem, const HeadTile &tile,
         const EpilogueSpec &spec)
      : frame(frame), b(frame.b), problem(problem), tile(tile),
        epilogue(frame, spec, MatmulTile(), problem.getRows()),
        partRows(getPartRows(tile, problem)), partColumns(getPartColumns(tile, problem)),
        innerParts(getInnerParts(tile)), innerBoxes(problem.getInner() / kBox),
        width(tile.columns + kPadding) {}

  void emit();

private:
  void allocate();
  void findPlace();
  void bringWeights() const;
  void bringX(const Int &token) const;
  void widen() const;
  Values loadScales() const;
  Values multiply(mlir::ValueRange factors) const;
  void keepSums(mlir::ValueRange sums) const;
  void finishTokens(const Int &token) const;

  KernelFrame &frame;
  Builder &b;
  HeadProblem problem;
  HeadTile tile;
  TileEpilogue epilogue;
  int64_t partRows, partColumns; // of the weight
  int64_t innerParts;            // warpgroups that share the inner index
  int64_t innerBoxes;            // of 64, of the whole inner index
  int64_t width;                 // f32 of a token's sums

  Value xMap, wMap;
  Shared codes, weights, x, finished, weightBarrier, xBarrier;
  Int thread, lane, warp, warpgroup;
  Int head, column;          // of the head's result, the block's first
  Int firstRow, firstColumn; // of the weight
  Int firstBox;              // of the inner index, of the warpgroup
  Int rows;
};

} // namespace

void Kernel::emit() {
  bool early = frame.getShape().earlyLaunch;
  if (early)
    launchDependents(b);
  allocate();
  findPlace();
  ifThen(thread == 0, [&] {
    initBarrier(weightBarrier, 1);
    initBarrier(xBarrier, 1);
    fenceBarrierInit(b);
    bringWeights();
    prefetchMap(b, xMap);
  });
  syncBlock(b);
  Values factors = loadScales();
  waitBarrier(weightBarrier, Int(b, 0));
  if (problem.scales)
    widen();
  if (early)
    waitDependencies(b);
  forLoop(Int(b, 0), rows, Int(b, tile.tokens), {Int(b, 0).value},
          [&](Int token, mlir::ValueRange carried) {
            Int parity(b, carried[0]);
            ifThen(thread == 0, [&] { bringX(token); });
            waitBarrier(xBarrier, parity);
            keepSums(multiply(factors));
            syncBlock(b); // x is free, too
            finishTokens(token);
            syncBlock(b);
            return Values{(parity ^ 1).value};
          });
}

void Kernel::allocate() {
  weights = frame.allocate(partRows * partColumns * 2, 1024);
  // Codes are not needed any more when x comes.
  int64_t codeBytes = problem.scales ? partRows * partColumns : 0;
  x = frame.allocate(std::max(getTokenBytes(tile, problem), codeBytes), 1024);
  codes = problem.scales ? x : weights;
  finished = x + innerBoxes * tile.tokens * 128;
  weightBarrier = frame.allocate(8, 8);
  xBarrier = frame.allocate(8, 8);

  TensorMap map;
  map.slot = problem.x;
  map.element = TensorMap::Element::BFloat16;
  map.sizes = {Extent::of(problem.heads * problem.xColumns), problem.getRows()};
  map.strides = {static_cast<uint64_t>(problem.xRowBytes)};
  map.box = {kBox, static_cast<uint32_t>(tile.tokens)};
  map.swizzle = 128;
  xMap = frame.addTensorMap(map);
  uint64_t elementBytes = problem.scales ? 1 : 2;
  map.slot = problem.w;
  map.sizes = {Extent::of(problem.weightColumns), Extent::of(problem.heads * problem.weightRows)};
  map.strides = {problem.weightColumns * elementBytes};
  map.box = {kBox, kBox};
  if (problem.scales) {
    map.element = TensorMap::Element::Byte;
    map.swizzle = 0;
  }
  wMap = frame.addTensorMap(map);
}

void Kernel::findPlace() {
  thread = getThread(b);
  lane = thread & 31;
  warp = broadcast(thread >> 5, 0);
  warpgroup = broadcast(thread >> 7, 0);
  int64_t perHead = problem.getColumns() / tile.columns;
  head = getBlock(b) / perHead;
  column = getBlock(b) % perHead * tile.columns;
  Int row = head * problem.weightRows + problem.weightOffset;
  firstRow = problem.transposed ? row : row + column;
  firstColumn = problem.transposed ? column : Int(b, 0);
  firstBox = innerParts > 1 ? warpgroup * (innerBoxes / innerParts) : Int(b, 0);
  rows = frame.getDim(problem.rowsDim) * problem.rowsMultiplier;
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

/// Boxes of 64 rows x 64 columns: [column / 64][row], codes without a pattern.
void Kernel::bringWeights() const {
  int64_t boxBytes = kBox * kBox * (problem.scales ? 1 : 2);
  arriveExpecting(weightBarrier, Int(b, partRows * partColumns / (kBox * kBox) * boxBytes));
  for (int64_t c = 0; c < partColumns / kBox; ++c)
    for (int64_t r = 0; r < partRows / kBox; ++r)
      copyBox(codes + (c * (partRows / kBox) + r) * boxBytes, wMap,
              {(firstColumn + c * kBox).value, (firstRow + r * kBox).value}, weightBarrier);
}

void Kernel::bringX(const Int &token) const {
  arriveExpecting(xBarrier, Int(b, innerBoxes * tile.tokens * 128));
  for (int64_t box = 0; box < innerBoxes; ++box) {
    Int from = head * problem.xColumns + (problem.xOffset + box * kBox);
    copyBox(x + box * tile.tokens * 128, xMap, {from.value, token.value}, xBarrier);
  }
}

/// 16 codes a thread at a time: [column / 64][row][64] -> the same of bf16, 16-byte chunk c of row
/// r at c ^ (r % 8).
void Kernel::widen() const {
  auto vector = mlir::VectorType::get(4, b.getI32Type());
  int64_t items = partRows * partColumns / 16;
  forLoop(thread, Int(b, items), Int(b, kThreads), [&](Int item) {
    Values four = getElements(b, load(codes + item * 16, vector, 16));
    Int row = item >> 2, chunk = (item & 3) * 2; // rows of all boxes
    for (int64_t half : {0, 1}) {
      Values wide = widenE4M3(b, four[2 * half]);
      llvm::append_range(wide, widenE4M3(b, four[2 * half + 1]));
      store(makeVector(b, wide), weights + (row * 128 + ((chunk + half) ^ (row & 7)) * 16), 16);
    }
  });
  fenceCopies(b); // warpgroup products read what threads wrote
  syncBlock(b);
}

/// Of each of the warpgroup's boxes of the inner index; none without scales.
Values Kernel::loadScales() const {
  Values loaded;
  if (!problem.scales)
    return loaded;
  Global scales = frame.getSlot(*problem.scales);
  int64_t perRow = problem.weightColumns / kScaleSize;
  Int mine = innerParts > 1 ? Int(b, 0) : warpgroup * kBox; // the warpgroup's columns
  for (int64_t box = 0; box < innerBoxes / innerParts; ++box) {
    Int inner = (firstBox + box) * kBox;
    Int row = problem.transposed ? firstRow + inner : firstRow + mine;
    Int at = problem.transposed ? firstColumn + mine : inner;
    Global place = scales + ((row >> 7) * perRow + (at >> 7)) * 4;
    loaded.push_back(load(place, b.getF32Type(), 4, /*constant=*/true));
  }
  return loaded;
}

//===----------------------------------------------------------------------===//
// Products and results
//===----------------------------------------------------------------------===//

/// The warpgroup's sums: 64 columns of the result by `tokens`.
Values Kernel::multiply(mlir::ValueRange factors) const {
  WgmmaTile product(b, Operand::BFloat16, tile.tokens, /*byColumns=*/problem.transposed);
  Int mine = innerParts > 1 ? Int(b, 0) : warpgroup; // the warpgroup's box of columns
  Shared left = weights;
  if (problem.transposed)
    left = weights + (mine * partRows + firstBox * kBox) * 128;
  else
    left = weights + (firstBox * partRows + mine * kBox) * 128;
  int64_t nextBox = problem.transposed ? kBox : partRows; // rows of 128 bytes
  Value w = product.describe(left);
  Value tokens = product.describe(x + firstBox * (tile.tokens * 128));
  Values sums, registers;
  for (int64_t box = 0; box < innerBoxes / innerParts; ++box) {
    Value under = product.start(product.skipRows(w, box * nextBox),
                                product.skipRows(tokens, box * tile.tokens), registers);
    registers = product.wait(under);
    Values next;
    for (auto [i, value] : llvm::enumerate(registers)) {
      if (factors.empty())
        next.push_back(box ? addFloat(b, value, sums[i]) : value);
      else
        next.push_back(box ? fma(b, value, factors[box], sums[i])
                           : multiplyFloat(b, value, factors[box]));
    }
    sums = next;
  }
  return sums;
}

/// finished[inner part][token][column]; register 4 j + 2 h + e is column 16 * warp + 8 h + lane /
/// 4, token 8 j + 2 * (lane % 4) + e.
void Kernel::keepSums(mlir::ValueRange sums) const {
  Int part = innerParts > 1 ? warpgroup : Int(b, 0);
  Int first = innerParts > 1 ? Int(b, 0) : warpgroup * kBox;
  Int at = first + (warp & 3) * 16 + (lane >> 2), token = part * tile.tokens + (lane & 3) * 2;
  Shared place = finished + (token * width + at) * 4;
  for (auto [i, sum] : llvm::enumerate(sums)) {
    int64_t j = i / 4, h = i % 4 / 2, e = i % 2;
    store(sum, place + ((8 * j + e) * width + 8 * h) * 4, 4);
  }
}

/// Two columns of a token a thread.
void Kernel::finishTokens(const Int &first) const {
  int64_t pairs = tile.columns / 2;
  auto vector = mlir::VectorType::get(2, b.getF32Type());
  Int count = min(rows - first, Int(b, tile.tokens));
  Int firstOut = head * problem.getColumns() + column;
  forLoop(thread, count * pairs, Int(b, kThreads), [&](Int index) {
    Int token = index / pairs, at = index % pairs * 2;
    std::array<Value, 2> sum;
    for (int64_t part = 0; part < innerParts; ++part) {
      Int row = token + part * tile.tokens;
      Values pair = getElements(b, load(finished + (row * width + at) * 4, vector, 8));
      for (int64_t e : {0, 1})
        sum[e] = part ? addFloat(b, sum[e], pair[e]) : pair[e];
    }
    epilogue.emitPair(first + token, firstOut + at, {sum});
  });
}

void moec::hopper::emitHeadMatmul(KernelFrame &frame, const HeadProblem &problem,
                                  const HeadTile &tile, const EpilogueSpec &epilogue) {
  Kernel(frame, problem, tile, epilogue).emit();
}
