#include "codegen/kernels/team_matmul/StagedOperand.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

static constexpr int64_t kRun = MatrixFragments::kRun;

//===----------------------------------------------------------------------===//
// What can be staged
//===----------------------------------------------------------------------===//

bool StagedOperand::accepts(Type type) {
  if (moe::QuantSchemeAttr scheme = moe::getScheme(type))
    return !Operand::refuse(type) && scheme.getBlock()[1] % kSlice == 0;
  return cast<RankedTensorType>(type).getElementType().isBF16();
}

bool StagedOperand::acceptsTransposed(Type type, int64_t depth, int64_t alignment) {
  if (moe::QuantSchemeAttr scheme = moe::getScheme(type))
    if (scheme.getBlock()[0] % kSlice || alignment % kSlice)
      return false;
  return accepts(type) && depth % kSlice == 0 && moe::getShape(type).back() % kRun == 0;
}

StagedOperand::StagedOperand(TileFunction &tile, Operand operand, int64_t rows, int64_t padding,
                             bool isTransposed)
    : tile(tile), b(tile.b), operand(operand), rows(rows), isTransposed(isTransposed),
      values(tile.allocate({rows, kSlice + padding}, tile.b.getBF16Type())) {
  if (operand.isQuantized())
    scales = tile.allocate({rows}, b.getF32Type());
}

//===----------------------------------------------------------------------===//
// From device memory
//===----------------------------------------------------------------------===//

VectorType StagedOperand::getRawType() const {
  Type element = operand.isQuantized() ? Type(b.getI8Type()) : Type(b.getBF16Type());
  return VectorType::get({kRun}, element);
}

/// Neighbouring threads take neighbouring runs of memory.
StagedOperand::Run StagedOperand::getRun(int64_t index) const {
  const Team &team = tile.getTeam();
  Value at = addIndex(b, team.thread, index * team.threads);
  Value width = constantIndex(b, (isTransposed ? rows : kSlice) / kRun);
  Value outer = arith::DivUIOp::create(b, at, width);
  Value inner = mulIndex(b, arith::RemUIOp::create(b, at, width), kRun);
  return isTransposed ? Run{inner, outer} : Run{outer, inner};
}

/// `depth` is within the slice: of its `valid` elements whole runs are one access, the rest single.
Value StagedOperand::loadStraight(const Operand &from, Value row, Value column, Value depth,
                                  int64_t valid) {
  if (valid == kSlice)
    return from.loadRaw(b, row, column, kRun);
  auto zero = [&]() -> Value { return arith::ConstantOp::create(b, b.getZeroAttr(getRawType())); };
  auto choose = [&](arith::CmpIPredicate predicate, int64_t bound, llvm::function_ref<Value()> then,
                    llvm::function_ref<Value()> otherwise) {
    Value condition = arith::CmpIOp::create(b, predicate, depth, constantIndex(b, bound));
    auto branch = scf::IfOp::create(b, TypeRange{getRawType()}, condition, true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, then());
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, otherwise());
    return branch.getResult(0);
  };
  int64_t whole = valid / kRun * kRun;
  auto single = [&]() -> Value {
    Value run = zero();
    for (int64_t i = 0; i < valid - whole; ++i)
      run =
          vector::InsertOp::create(b, from.loadRawElement(b, row, addIndex(b, column, i)), run, i);
    return run;
  };
  auto rest = [&]() -> Value {
    return valid == whole ? zero() : choose(arith::CmpIPredicate::eq, whole, single, zero);
  };
  return choose(
      arith::CmpIPredicate::ult, whole, [&] { return from.loadRaw(b, row, column, kRun); }, rest);
}

int64_t StagedOperand::countRuns() const { return rows * kSlice / kRun / tile.getTeam().threads; }

Operand StagedOperand::select(const Range &range) const {
  return range.expert ? operand.select(range.expert) : operand;
}

StagedOperand::Place StagedOperand::getPlace(const Range &range) {
  Place place{range, {}, {}};
  auto find = [&](Value row, Value last) -> Value {
    row = arith::MinUIOp::create(b, row, last);
    return isTransposed ? addIndex(b, range.firstColumn, row) : range.source(row);
  };
  Value last = addIndex(b, range.numRows, -1);
  // Transposed there are whole runs of rows.
  Value lastOfRuns = isTransposed ? addIndex(b, range.numRows, -kRun) : last;
  for (int64_t i = 0; i < countRuns(); ++i)
    place.runs.push_back(find(getRun(i).row, lastOfRuns));
  if (isScaled())
    place.scale = find(tile.getTeam().thread, last);
  return place;
}

Value StagedOperand::loadRun(const Place &place, int64_t index, Value first, int64_t valid) {
  Operand from = select(place.range);
  Value inSlice = getRun(index).depth, depth = addIndex(b, first, inSlice);
  if (isTransposed)
    return from.loadRaw(b, addIndex(b, place.range.firstRow, depth), place.runs[index], kRun);
  return loadStraight(from, place.runs[index], addIndex(b, place.range.firstColumn, depth), inSlice,
                      valid);
}

/// Of one row of the tile, for each thread.
Value StagedOperand::loadScale(const Place &place, Value first) {
  Operand from = select(place.range);
  if (isTransposed)
    return from.loadScale(b, addIndex(b, place.range.firstRow, first), place.scale);
  return from.loadScale(b, place.scale, addIndex(b, place.range.firstColumn, first));
}

SmallVector<Value> StagedOperand::load(const Place &place, Value first, int64_t valid) {
  SmallVector<Value> share;
  for (int64_t i = 0; i < countRuns(); ++i)
    share.push_back(loadRun(place, i, first, valid));
  if (isScaled())
    share.push_back(loadScale(place, first));
  return share;
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

/// The upper half of an f32 is the bf16 of a number that has no more digits.
Value StagedOperand::convert(Value raw) const {
  if (!operand.isQuantized())
    return raw;
  auto type = [&](Type element) { return VectorType::get({kRun}, element); };
  Value codes = arith::BitcastOp::create(b, type(b.getType<Float8E4M3FNType>()), raw);
  Value wide = arith::ExtFOp::create(b, type(b.getF32Type()), codes);
  Value bits = arith::BitcastOp::create(b, type(b.getI32Type()), wide);
  Value half = arith::ConstantOp::create(
      b, DenseElementsAttr::get(type(b.getI32Type()), b.getI32IntegerAttr(16)));
  bits = arith::TruncIOp::create(b, type(b.getI16Type()), arith::ShRUIOp::create(b, bits, half));
  return arith::BitcastOp::create(b, type(b.getBF16Type()), bits);
}

void StagedOperand::store(ValueRange share) {
  const Team &team = tile.getTeam();
  for (auto [i, raw] : llvm::enumerate(share.drop_back(isScaled() ? 1 : 0))) {
    Run run = getRun(i);
    Value run8 = convert(raw);
    if (!isTransposed) {
      vector::StoreOp::create(b, run8, values, ValueRange{run.row, run.depth});
      continue;
    }
    for (int64_t j = 0; j < kRun; ++j)
      memref::StoreOp::create(b, vector::ExtractOp::create(b, run8, j), values,
                              ValueRange{addIndex(b, run.row, j), run.depth});
  }
  if (!isScaled())
    return;
  Value isMine =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ult, team.thread, constantIndex(b, rows));
  ifThen(b, isMine, [&] { storeFloat(b, share.back(), scales, {team.thread}); });
}

Value StagedOperand::read(Value row, Value depth) const {
  auto run = VectorType::get({kRun}, b.getBF16Type());
  return vector::LoadOp::create(b, run, values, ValueRange{row, depth});
}

Value StagedOperand::readScale(Value row) const { return loadFloat(b, scales, {row}); }
