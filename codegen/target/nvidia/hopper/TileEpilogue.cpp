#include "codegen/target/nvidia/hopper/TileEpilogue.h"

#include "codegen/target/nvidia/hopper/QuadShuffle.h"

#include "mlir/IR/BuiltinTypes.h"

using namespace moec::hopper;
using Element = EpilogueSpec::Element;

TileEpilogue::TileEpilogue(KernelFrame &frame, const EpilogueSpec &spec, const MatmulTile &tile,
                           Extent rows)
    : frame(&frame), spec(spec) {
  bool isPlain = spec.stores.size() == 1 && spec.stores[0].element == Element::BFloat16 &&
                 !spec.quantized && tile.columns % StagedStore::kColumns == 0;
  if (tile.parts > 1)
    maximum.emplace(frame, 4 * tile.consumers, tile.parts);
  if (!tile.staged || !isPlain)
    return;
  staged.emplace(frame, 4 * tile.consumers, tile.staged);
  maps.push_back(frame.addTensorMap(
      StagedStore::getMap(spec.stores[0].slot, spec.stores[0].rowBytes, spec.columns, rows)));
}

void TileEpilogue::init() const {
  if (maximum)
    maximum->init();
}

void TileEpilogue::finish(const Int &lane) const {
  if (staged)
    staged->finish(lane);
}

void TileEpilogue::emit(const Fragment &fragment) const {
  for (int64_t wave = 0; wave < fragment.tile.getRowWaves(); ++wave) {
    llvm::SmallVector<llvm::SmallVector<Pair>, 2> halves(2);
    for (int64_t half : {0, 1}) {
      Int row = min(fragment.row + (64 * wave + 8 * half), fragment.limit - 1);
      for (int64_t block = 0; block < fragment.tile.columns / 8; ++block)
        halves[half].push_back(compute(fragment, row, wave, block, half));
    }
    if (staged) {
      storeStaged(fragment, wave, halves);
      continue;
    }
    Values largest(2);
    if (spec.quantized)
      for (int64_t half : {0, 1})
        largest[half] = findLargest(halves[half]);
    if (maximum)
      largest = maximum->exchange(fragment.warp, fragment.lane, fragment.turn, largest);
    for (int64_t half : {0, 1})
      emitRow(fragment, wave, half, halves[half], largest[half]);
  }
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

/// gate / (1 + exp(-gate)) * up
static Value swiglu(Builder &b, Value gate, Value up) {
  constexpr double kMinusLog2E = -1.4426950408889634;
  Value power = exp2Fast(b, multiplyFloat(b, gate, constantFloat(b, kMinusLog2E)));
  Value denominator = addFloat(b, power, constantFloat(b, 1));
  return multiplyFloat(b, multiplyFloat(b, gate, reciprocalFast(b, denominator)), up);
}

/// The two neighbouring results at a place that exists, from the sums of each column wave.
TileEpilogue::Pair TileEpilogue::compute(const Int &row, const Int &column,
                                         llvm::ArrayRef<Pair> sums) const {
  Builder &b = frame->b;
  Pair pair = sums[0];
  auto add = [&](const Pair &other) {
    for (int64_t e : {0, 1})
      pair[e] = addFloat(b, pair[e], other[e]);
  };
  if (spec.bias)
    add(loadPair(frame->getSlot(spec.bias->slot), spec.bias->element, column, /*constant=*/true));
  if (spec.gated)
    for (int64_t e : {0, 1})
      pair[e] = swiglu(b, pair[e], sums[1][e]);
  for (const auto &addend : spec.addends)
    add(loadPair(frame->getSlot(addend.slot).at(row, addend.rowBytes), addend.element, column,
                 /*constant=*/false));
  if (spec.rounded) {
    Value packed = packBFloat16(b, pair[0], pair[1]);
    pair = {unpackBFloat16(b, packed, 0), unpackBFloat16(b, packed, 1)};
  }
  return pair;
}

/// Of a lane; the column may lie behind the last one, `row` not.
TileEpilogue::Pair TileEpilogue::compute(const Fragment &fragment, const Int &row, int64_t rowWave,
                                         int64_t block, int64_t half) const {
  llvm::SmallVector<Pair, 2> sums;
  for (int64_t wave = 0; wave < fragment.tile.columnWaves; ++wave)
    sums.push_back(
        {fragment.get(rowWave, wave, block, half, 0), fragment.get(rowWave, wave, block, half, 1)});
  if (spec.addends.empty() && !spec.bias)
    return compute(row, fragment.column, sums);
  Int column = fragment.column + 8 * block + (fragment.lane & 3) * 2;
  return compute(row, min(column, Int(frame->b, spec.columns - 2)), sums);
}

void TileEpilogue::emitPair(const Int &row, const Int &column, llvm::ArrayRef<Pair> sums) const {
  storePair(row, column, compute(row, column, sums));
}

void TileEpilogue::storePair(const Int &row, const Int &column, const Pair &pair) const {
  Builder &b = frame->b;
  for (const auto &matrix : spec.stores) {
    Global line = frame->getSlot(matrix.slot).at(row, matrix.rowBytes);
    if (matrix.element == Element::Float32)
      store(makeVector(b, pair), line + column * 4, 8);
    else
      store(packBFloat16(b, pair[0], pair[1]), line + column * 2, 4);
  }
}

void TileEpilogue::emitQuantized(const Int &row, const Int &column, llvm::ArrayRef<Pair> sums,
                                 const Bool &exists) const {
  Builder &b = frame->b;
  Int lane = getThread(b) & 31;
  Pair pair = compute(row, column, sums);
  Value largest = findLargest({pair});
  for (int64_t mask : {4, 8, 16})
    largest = maxFloat(b, largest, shuffleXor(b, largest, mask));
  if (maximum)
    largest = maximum->exchange(Int(b, 0), lane, Int(b, 0), Values{largest, largest})[0];
  const auto &to = *spec.quantized;
  Value scale = divideFloat(b, largest, constantFloat(b, 448));
  Global scales = frame->getSlot(to.scales).at(row, to.scaleBytes) + (column >> 7) * 4;
  Value codes = packE4M3(b, divideFloat(b, pair[0], scale), divideFloat(b, pair[1], scale));
  Global code = frame->getSlot(to.codes).at(row, to.codeBytes) + column;
  ifThen(exists & ((column & 127) == 0), [&] { store(scale, scales, 4); });
  ifThen(exists, [&] {
    storePair(row, column, pair);
    store(codes, code, 2);
  });
}

TileEpilogue::Pair TileEpilogue::loadPair(const Global &line, Element element, const Int &column,
                                          bool constant) const {
  Builder &b = frame->b;
  if (element == Element::Float32) {
    Values both = getElements(
        b, load(line + column * 4, mlir::VectorType::get(2, b.getF32Type()), 8, constant));
    return {both[0], both[1]};
  }
  Value packed = load(line + column * 2, b.getI32Type(), 4, constant);
  return {unpackBFloat16(b, packed, 0), unpackBFloat16(b, packed, 1)};
}

//===----------------------------------------------------------------------===//
// Stores
//===----------------------------------------------------------------------===//

void TileEpilogue::emitRow(const Fragment &fragment, int64_t rowWave, int64_t half,
                           llvm::ArrayRef<Pair> values, Value largest) const {
  Int row = fragment.row + (64 * rowWave + 8 * half);
  for (const auto &matrix : spec.stores) {
    if (matrix.element == Element::Float32)
      storeFloats(fragment, matrix, row, values);
    else
      storeHalves(fragment, matrix, row, values);
  }
  if (spec.quantized)
    storeQuantized(fragment, row, values, largest);
}

/// The four lanes of a quad write 32 bytes side by side.
void TileEpilogue::storeFloats(const Fragment &fragment, const EpilogueSpec::Matrix &to,
                               const Int &row, llvm::ArrayRef<Pair> values) const {
  Builder &b = frame->b;
  Global line = frame->getSlot(to.slot).at(row, to.rowBytes);
  for (auto [block, pair] : llvm::enumerate(values)) {
    Int column = fragment.column + (8 * block) + (fragment.lane & 3) * 2;
    Value vector = makeVector(b, pair);
    ifThen((row < fragment.limit) & (column < spec.columns),
           [&] { store(vector, line + column * 4, 8); });
  }
}

/// Four blocks of 8 columns at a time are exchanged in the quad; blocks that are left leave pair by
/// pair.
void TileEpilogue::storeHalves(const Fragment &fragment, const EpilogueSpec::Matrix &to,
                               const Int &row, llvm::ArrayRef<Pair> values) const {
  Builder &b = frame->b;
  Global line = frame->getSlot(to.slot).at(row, to.rowBytes);
  Bool exists = row < fragment.limit;
  Int quad = fragment.lane & 3;
  Values packed;
  for (const Pair &pair : values)
    packed.push_back(packBFloat16(b, pair[0], pair[1]));
  size_t block = 0;
  for (; block + 4 <= packed.size(); block += 4) {
    Values items = transposeQuad(b, fragment.lane, mlir::ValueRange(packed).slice(block, 4));
    Int column = fragment.column + 8 * block + quad * 8;
    Value vector = makeVector(b, items);
    ifThen(exists & (column < spec.columns), [&] { store(vector, line + column * 2, 16); });
  }
  for (; block < packed.size(); ++block) {
    Int column = fragment.column + 8 * block + quad * 2;
    ifThen(exists & (column < spec.columns), [&] { store(packed[block], line + column * 2, 4); });
  }
}

/// Two i16 as an i32, the first below.
static Value joinShorts(Builder &b, Value low, Value high) {
  return inlineAsm(b, "mov.b32 $0, {$1, $2};", "=r,h,h", {low, high}, {b.getI32Type()},
                   /*hasSideEffects=*/false)
      .front();
}

/// The low or high 16 bits of two i32, the first below.
static Value joinHalves(Builder &b, Value x, Value y, bool high) {
  return inlineAsm(b, high ? "prmt.b32 $0, $1, $2, 0x7632;" : "prmt.b32 $0, $1, $2, 0x5410;",
                   "=r,r,r", {x, y}, {b.getI32Type()}, /*hasSideEffects=*/false)
      .front();
}

/// The largest magnitude of a row's columns, which the lanes of a quad have; at least 1e-4.
Value TileEpilogue::findLargest(llvm::ArrayRef<Pair> values) const {
  Builder &b = frame->b;
  Value largest = constantFloat(b, 1e-4);
  for (const Pair &pair : values)
    for (Value value : pair)
      largest = maxFloat(b, largest, absFloat(b, value));
  return maxOverQuad(b, largest);
}

/// The lanes of a quad have a row's columns. Two blocks of 8 columns travel in one register, so of
/// eight a lane ends with 16 codes side by side. `largest`: of the row in the quantization block.
void TileEpilogue::storeQuantized(const Fragment &fragment, const Int &row,
                                  llvm::ArrayRef<Pair> values, Value largest) const {
  Builder &b = frame->b;
  Value scale = divideFloat(b, largest, constantFloat(b, 448));
  Bool exists = row < fragment.limit;
  Int quad = fragment.lane & 3;

  const auto &to = *spec.quantized;
  Global scales = frame->getSlot(to.scales).at(row, to.scaleBytes) + (fragment.column >> 7) * 4;
  Bool stores = exists & (quad == 0);
  if (maximum)
    stores = stores & ((fragment.column & 127) == 0);
  ifThen(stores, [&] { store(scale, scales, 4); });

  Values packed;
  for (const Pair &pair : values)
    packed.push_back(packE4M3(b, divideFloat(b, pair[0], scale), divideFloat(b, pair[1], scale)));
  Global codes = frame->getSlot(to.codes).at(row, to.codeBytes);
  size_t block = 0;
  for (; block + 8 <= packed.size(); block += 8) {
    Values items;
    for (size_t i = 0; i < 8; i += 2)
      items.push_back(joinShorts(b, packed[block + i], packed[block + i + 1]));
    items = transposeQuad(b, fragment.lane, items);
    Values line;
    for (bool high : {false, true})
      for (size_t i = 0; i < 4; i += 2)
        line.push_back(joinHalves(b, items[i], items[i + 1], high));
    Int column = fragment.column + 8 * block + quad * 16;
    Value vector = makeVector(b, line);
    ifThen(exists, [&] { store(vector, codes + column, 16); });
  }
  // Of fewer blocks each lane stores its pairs: few rows have them.
  for (; block < packed.size(); ++block) {
    Int column = fragment.column + 8 * block + quad * 2;
    ifThen(exists, [&] { store(packed[block], codes + column, 2); });
  }
}

void TileEpilogue::storeStaged(const Fragment &fragment, int64_t rowWave,
                               llvm::ArrayRef<llvm::SmallVector<Pair>> halves) const {
  Builder &b = frame->b;
  const auto &matrix = spec.stores[0];
  StagedStore::Target target{maps[0], frame->getSlot(matrix.slot), matrix.rowBytes, spec.columns,
                             fragment.limit};
  constexpr int64_t kBlocks = StagedStore::kColumns / 8;
  int64_t chunks = fragment.tile.columns / StagedStore::kColumns;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    Values blocks;
    for (int64_t j = chunk * kBlocks; j < (chunk + 1) * kBlocks; ++j)
      for (int64_t half : {0, 1})
        blocks.push_back(packBFloat16(b, halves[half][j][0], halves[half][j][1]));
    staged->store(target, fragment.warp, fragment.lane, fragment.firstRow + 64 * rowWave,
                  fragment.column + chunk * StagedStore::kColumns, blocks,
                  rowWave * chunks + chunk);
  }
}
