// Where a thread's columns are, and the order of a program. The ops are in RegisterOps.cpp.
#include "codegen/kernels/rows/RegisterProgram.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace moec;
using namespace moec::codegen;

static int64_t getColumns(Value value) { return moe::getShape(value.getType()).back(); }

RegisterProgram::RegisterProgram(TileFunction &tile, const RegisterLayout &layout)
    : tile(tile), b(tile.b), team(tile.getTeam()), layout(layout) {
  for (Operation &op : tile.kernel.getBody().front().without_terminator()) {
    ops.push_back(&op);
    auto norm = dyn_cast<moe::RmsNormOp>(op);
    if (norm && norm.getHeads() == 1 && team.threads > team.subgroup)
      scratches[&op] = tile.allocate({team.threads / team.subgroup}, b.getF32Type());
  }
}

void RegisterProgram::emit(Value newRow, Value part) {
  row = newRow;
  if (layout.parts > 1)
    first = mulIndex(b, part, layout.stepColumns());
  for (Operation *op : ops) {
    b.setLoc(op->getLoc());
    prepare(op);
  }
  for (Operation *op : ops) {
    b.setLoc(op->getLoc());
    compute(op);
  }
}

Value RegisterProgram::remainder(Value value, int64_t by) {
  return arith::RemUIOp::create(b, value, constantIndex(b, by));
}

Value RegisterProgram::divide(Value value, int64_t by) {
  return arith::DivUIOp::create(b, value, constantIndex(b, by));
}

//===----------------------------------------------------------------------===//
// Columns
//===----------------------------------------------------------------------===//

ArrayRef<RegisterProgram::Step> RegisterProgram::getSteps(int64_t columns) {
  auto &known = steps[columns];
  if (!known.empty())
    return known;
  int64_t width = layout.stepColumns();
  Value own = mulIndex(b, team.thread, layout.lanes);
  auto isBelow = [&](Value column, int64_t end) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, column, constantIndex(b, end));
  };
  if (first) {
    Value column = addIndex(b, first, own);
    known.push_back({column, columns % width ? isBelow(column, columns) : Value()});
    return known;
  }
  for (int64_t begin = 0; begin < columns; begin += width)
    known.push_back({addIndex(b, own, begin),
                     begin + width > columns ? isBelow(own, columns - begin) : Value()});
  return known;
}

RegisterProgram::Row RegisterProgram::forSteps(int64_t columns, int64_t width,
                                               llvm::function_ref<Value(const Step &)> body) {
  Row values;
  for (const Step &step : getSteps(columns)) {
    if (!step.active) {
      values.push_back(body(step));
      continue;
    }
    Type type = floatVector(b, width);
    auto branch = scf::IfOp::create(b, TypeRange{type}, step.active, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, body(step));
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, constantFloat(b, 0, width));
    values.push_back(branch.getResult(0));
  }
  return values;
}

void RegisterProgram::forActive(int64_t columns,
                                llvm::function_ref<void(const Step &, size_t)> body) {
  for (auto [index, step] : llvm::enumerate(getSteps(columns))) {
    if (step.active)
      ifThen(b, step.active, [&, index = index, &step = step] { body(step, index); });
    else
      body(step, index);
  }
}

//===----------------------------------------------------------------------===//
// Rows in memory
//===----------------------------------------------------------------------===//

RowRef RegisterProgram::locate(Value value) {
  int64_t offset = 0, columns = getColumns(value);
  for (; auto slice = value.getDefiningOp<moe::SliceOp>(); value = slice.getX())
    offset += slice.getOffset();
  Buffer buffer = tile.getArgument(value);
  return {buffer.data, buffer.scales, row, offset, columns};
}

Value RegisterProgram::loadScalar(Value vector) {
  Value &scalar = scalars[vector];
  if (!scalar)
    scalar = loadIndex(b, tile.getArgument(vector).data, row);
  return scalar;
}

RegisterProgram::Row RegisterProgram::load(const RowRef &ref, int64_t columns) {
  return forSteps(columns, layout.lanes,
                  [&](const Step &step) { return ref.load(b, step.column, layout.lanes); });
}

const RegisterProgram::Row &RegisterProgram::get(Value value) {
  if (auto found = rows.find(value); found != rows.end())
    return found->second;
  Row loaded = load(locate(value), getColumns(value));
  return rows[value] = std::move(loaded);
}

Value RegisterProgram::round(Value values, Type element) {
  if (element.isF32())
    return values;
  auto type = cast<VectorType>(values.getType());
  Value rounded = arith::TruncFOp::create(b, type.clone(element), values);
  return arith::ExtFOp::create(b, type, rounded);
}

void RegisterProgram::set(Value value, Row newRow) {
  Type element = cast<RankedTensorType>(value.getType()).getElementType();
  for (Value &values : newRow)
    values = round(values, element);
  store(value, newRow);
  rows[value] = std::move(newRow);
}

void RegisterProgram::store(Value value, const Row &stored) {
  SmallVector<RowRef> places;
  addPlaces(value, 0, places);
  for (const RowRef &place : places)
    forActive(getColumns(value),
              [&](const Step &step, size_t index) { place.store(b, step.column, stored[index]); });
}

void RegisterProgram::addPlaces(Value value, int64_t offset, SmallVectorImpl<RowRef> &places) {
  for (unsigned index : tile.getResultsOf(value)) {
    Buffer buffer = tile.getResult(index);
    places.push_back({buffer.data, buffer.scales, row, offset, getColumns(value)});
  }
  for (OpOperand &use : value.getUses()) {
    if (auto append = dyn_cast<moe::CacheAppendOp>(use.getOwner());
        append && append.getRows() == value) {
      places.push_back(locateInCache(append));
      places.back().offset = offset;
    }
    auto concat = dyn_cast<moe::ConcatOp>(use.getOwner());
    if (!concat)
      continue;
    int64_t begin = offset;
    for (Value part : concat.getParts().take_front(use.getOperandNumber()))
      begin += getColumns(part);
    addPlaces(concat.getResult(), begin, places);
  }
}

RowRef RegisterProgram::locateInCache(moe::CacheAppendOp op) {
  auto type = cast<moe::CacheType>(op.getCache().getType());
  Value cache = op.getCache();
  while (auto earlier = cache.getDefiningOp<moe::CacheAppendOp>())
    cache = earlier.getCache();
  Value &target = cacheRows[op];
  if (!target) {
    Value position = loadScalar(op.getPositions()), sequence = loadScalar(op.getSequences());
    Value page = loadIndex(b, tile.getArgument(op.getBlockTable()).data,
                           {sequence, divide(position, type.getPage())});
    target = arith::AddIOp::create(b, mulIndex(b, page, type.getPage()),
                                   remainder(position, type.getPage()));
  }
  return {tile.getArgument(cache).data, {}, target, 0, type.getWidth()};
}
