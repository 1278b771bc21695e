#include "codegen/kernels/sampling/Chunks.h"

#include "codegen/kernels/Vectors.h"
#include "codegen/kernels/sampling/TeamSums.h"
#include "codegen/kernels/sampling/TokenWeight.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

static constexpr double kNothing = -std::numeric_limits<double>::infinity();

static Value constantInt(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIntOp::create(b, value, 32);
}

int64_t moec::codegen::countChunkTiles(int64_t columns, int64_t chunk, int64_t perTile) {
  return llvm::divideCeil(llvm::divideCeil(columns, chunk), perTile);
}

namespace {

/// The chunks of one tile.
class ChunkTile {
public:
  ChunkTile(TileFunction &tile, Value logits, int64_t chunk, int64_t perTile)
      : b(tile.b), logits(tile.getArgument(logits)),
        columns(moe::getShape(logits.getType()).back()), chunk(chunk), team(tile.getTeam()) {
    int64_t chunks = llvm::divideCeil(columns, chunk);
    Value tiles = constantIndex(b, llvm::divideCeil(chunks, perTile));
    row = arith::DivUIOp::create(b, tile.getTile(), tiles);
    begin = mulIndex(b, arith::RemUIOp::create(b, tile.getTile(), tiles), perTile);
    end = arith::MinUIOp::create(b, addIndex(b, begin, perTile), constantIndex(b, chunks));
  }

  using Body = llvm::function_ref<void(Value index, int64_t size, const Team &part)>;
  /// Calls `body` for each chunk; the last may be shorter.
  void forChunks(Body body) {
    int64_t whole = columns / chunk, rest = columns % chunk;
    Value last = constantIndex(b, whole);
    forItems(b, team, begin, arith::MinUIOp::create(b, end, last),
             [&](Value index, const Team &part) { body(index, chunk, part); });
    if (!rest)
      return;
    Value first = arith::MaxUIOp::create(b, begin, last);
    forItems(b, team, first, end, [&](Value index, const Team &part) { body(index, rest, part); });
  }

  /// `lanes` logits of chunk `index` from its column `column` on.
  Value load(Value index, Value column, int64_t lanes) {
    Value at = addIndex(b, mulIndex(b, index, chunk), column);
    return loadFloats(b, logits.data, {row, at}, lanes);
  }

  ImplicitLocOpBuilder &b;
  Buffer logits;
  int64_t columns, chunk;
  Team team;
  Value row, begin, end;
};

} // namespace

void moec::codegen::emitChunkMaxima(TileFunction &tile, moe::ChunkMaximaOp op, int64_t perTile) {
  ChunkTile chunks(tile, op.getLogits(), op.getChunk(), perTile);
  auto &b = tile.b;
  Value result = tile.getResult(0).data;
  chunks.forChunks([&](Value index, int64_t size, const Team &part) {
    auto load = [&](Value column, int64_t lanes) -> Value {
      Value values = chunks.load(index, column, lanes);
      Value isNumber = arith::CmpFOp::create(b, arith::CmpFPredicate::ORD, values, values);
      return arith::SelectOp::create(b, isNumber, values, constantFloat(b, kNothing, lanes));
    };
    Value largest = reduceColumns(b, size, part, Reduction::Maximum, kNothing, load);
    runOnce(b, part, [&] { storeFloat(b, largest, result, {chunks.row, index}); });
  });
}

/// Of columns offset ... size - 1 of a chunk, by steps of `lanes`, the sums of the weights' lower
/// and upper halves; `offset` is the thread's own.
static std::pair<Value, Value> sumHalves(ChunkTile &chunks, Value index, Value offset, int64_t size,
                                         int64_t lanes, int64_t threads, Value largest,
                                         Value factor) {
  auto &b = chunks.b;
  auto type = VectorType::get({lanes}, b.getI32Type());
  auto constants = [&](int32_t value) -> Value {
    return arith::ConstantOp::create(b, DenseElementsAttr::get(type, value));
  };
  Value zero = constants(0), mask = constants((1 << kMassBits) - 1), shift = constants(kMassBits);
  auto step = [&](Value column, ValueRange sums) -> SmallVector<Value> {
    Value weights = emitWeights(b, chunks.load(index, column, lanes), largest, factor);
    Value low = arith::AndIOp::create(b, weights, mask);
    Value high = arith::ShRUIOp::create(b, weights, shift);
    return {arith::AddIOp::create(b, sums[0], low), arith::AddIOp::create(b, sums[1], high)};
  };
  auto sums = forRange(b, offset, constantIndex(b, size), lanes * threads, {zero, zero}, step);
  auto collapse = [&](Value sum) -> Value {
    return vector::ReductionOp::create(b, vector::CombiningKind::ADD, sum);
  };
  return {collapse(sums[0]), collapse(sums[1])};
}

/// The two halves of the sum of a chunk's weights; all threads of the part have them.
static std::pair<Value, Value> sumChunk(ChunkTile &chunks, Value index, int64_t size,
                                        const Team &part, Value largest, Value factor) {
  auto &b = chunks.b;
  Value thread = part.isOne() ? constantIndex(b, 0) : part.thread;
  int64_t whole = size / part.lanes * part.lanes;
  Value low = constantInt(b, 0), high = low;
  auto add = [&](std::pair<Value, Value> sums) {
    low = arith::AddIOp::create(b, low, sums.first);
    high = arith::AddIOp::create(b, high, sums.second);
  };
  if (whole)
    add(sumHalves(chunks, index, mulIndex(b, thread, part.lanes), whole, part.lanes, part.threads,
                  largest, factor));
  if (size > whole)
    add(sumHalves(chunks, index, addIndex(b, thread, whole), size, 1, part.threads, largest,
                  factor));
  low = addInPart(b, part, low);
  high = addInPart(b, part, high);
  Value carry = arith::ShRUIOp::create(b, low, constantInt(b, kMassBits));
  low = arith::AndIOp::create(b, low, constantInt(b, (1 << kMassBits) - 1));
  return {low, arith::AddIOp::create(b, high, carry)};
}

void moec::codegen::emitChunkMasses(TileFunction &tile, moe::ChunkMassesOp op, int64_t perTile) {
  ChunkTile chunks(tile, op.getLogits(), op.getChunk(), perTile);
  auto &b = tile.b;
  Buffer maxima = tile.getArgument(op.getMaxima()), sampling = tile.getArgument(op.getSampling());
  Value result = tile.getResult(0).data;
  int64_t count = moe::getShape(op.getMaxima().getType()).back();
  Value bits =
      memref::LoadOp::create(b, sampling.data, ValueRange{chunks.row, constantIndex(b, kFactor)});
  Value factor = arith::BitcastOp::create(b, b.getF32Type(), bits);
  Value isGreedy = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, factor, constantFloat(b, 0));
  auto store = [&](Value index, Value low, Value high) {
    memref::StoreOp::create(b, low, result, ValueRange{chunks.row, index});
    memref::StoreOp::create(b, high, result, ValueRange{chunks.row, addIndex(b, index, count)});
  };

  auto branch = scf::IfOp::create(b, isGreedy, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  forScalars(b, chunks.team, chunks.begin, chunks.end,
             [&](Value index) { store(index, constantInt(b, 0), constantInt(b, 0)); });
  b.setInsertionPointToStart(branch.elseBlock());
  Value largest = reduceColumns(b, count, chunks.team, Reduction::Maximum, kNothing,
                                [&](Value column, int64_t lanes) {
                                  return loadFloats(b, maxima.data, {chunks.row, column}, lanes);
                                });
  chunks.forChunks([&](Value index, int64_t size, const Team &part) {
    auto [low, high] = sumChunk(chunks, index, size, part, largest, factor);
    runOnce(b, part, [&, low = low, high = high] { store(index, low, high); });
  });
}
