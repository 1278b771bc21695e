// Loops, loads and stores that every emitter uses.
#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace moec::codegen;

//===----------------------------------------------------------------------===//
// Constants and indices
//===----------------------------------------------------------------------===//

Value moec::codegen::constantIndex(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

Value moec::codegen::constantFloat(ImplicitLocOpBuilder &b, double value, int64_t lanes) {
  FloatAttr scalar = b.getF32FloatAttr(value);
  if (!lanes)
    return arith::ConstantOp::create(b, scalar);
  return arith::ConstantOp::create(b, DenseElementsAttr::get(floatVector(b, lanes), scalar));
}

Value moec::codegen::addIndex(ImplicitLocOpBuilder &b, Value lhs, Value rhs) {
  return arith::AddIOp::create(b, lhs, rhs);
}

Value moec::codegen::addIndex(ImplicitLocOpBuilder &b, Value lhs, int64_t rhs) {
  return rhs ? addIndex(b, lhs, constantIndex(b, rhs)) : lhs;
}

Value moec::codegen::mulIndex(ImplicitLocOpBuilder &b, Value lhs, int64_t rhs) {
  return rhs == 1 ? lhs : arith::MulIOp::create(b, lhs, constantIndex(b, rhs)).getResult();
}

//===----------------------------------------------------------------------===//
// Loads and stores
//===----------------------------------------------------------------------===//

VectorType moec::codegen::floatVector(ImplicitLocOpBuilder &b, int64_t lanes) {
  return VectorType::get({lanes}, b.getF32Type());
}

Value moec::codegen::loadFloats(ImplicitLocOpBuilder &b, Value memref, ValueRange indices,
                                int64_t lanes) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  Value loaded = vector::LoadOp::create(b, VectorType::get({lanes}, element), memref, indices);
  if (element.isF32())
    return loaded;
  return arith::ExtFOp::create(b, floatVector(b, lanes), loaded);
}

void moec::codegen::storeFloats(ImplicitLocOpBuilder &b, Value values, Value memref,
                                ValueRange indices) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  if (!element.isF32())
    values = arith::TruncFOp::create(b, cast<VectorType>(values.getType()).clone(element), values);
  vector::StoreOp::create(b, values, memref, indices);
}

Value moec::codegen::roundFloats(ImplicitLocOpBuilder &b, Value values, Type tensor) {
  Type element = getElementTypeOrSelf(tensor), wide = values.getType();
  if (element.isF32())
    return values;
  Type narrow = element;
  if (auto vector = dyn_cast<VectorType>(wide))
    narrow = vector.clone(element);
  Value rounded = arith::TruncFOp::create(b, narrow, values);
  return arith::ExtFOp::create(b, wide, rounded);
}

Value moec::codegen::loadFloat(ImplicitLocOpBuilder &b, Value memref, ValueRange indices) {
  Value loaded = memref::LoadOp::create(b, memref, indices);
  if (loaded.getType().isF32())
    return loaded;
  return arith::ExtFOp::create(b, b.getF32Type(), loaded);
}

void moec::codegen::storeFloat(ImplicitLocOpBuilder &b, Value value, Value memref,
                               ValueRange indices) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  if (!element.isF32())
    value = arith::TruncFOp::create(b, element, value);
  memref::StoreOp::create(b, value, memref, indices);
}

Value moec::codegen::loadIndex(ImplicitLocOpBuilder &b, Value memref, ValueRange indices) {
  Value loaded = memref::LoadOp::create(b, memref, indices);
  return arith::IndexCastOp::create(b, b.getIndexType(), loaded);
}

Value moec::codegen::splat(ImplicitLocOpBuilder &b, Value value, int64_t lanes) {
  return vector::BroadcastOp::create(b, VectorType::get({lanes}, value.getType()), value);
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

SmallVector<Value>
moec::codegen::forRange(ImplicitLocOpBuilder &b, Value begin, Value end, int64_t step,
                        ValueRange init,
                        llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  Value stepValue = constantIndex(b, step);
  auto loop = scf::ForOp::create(
      b, begin, end, stepValue, init,
      [&](OpBuilder &inner, Location /*loc*/, Value index, ValueRange carried) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPoint(inner.getInsertionBlock(), inner.getInsertionPoint());
        SmallVector<Value> next = body(index, carried);
        scf::YieldOp::create(b, next);
      });
  return SmallVector<Value>(loop.getResults());
}

void moec::codegen::forRange(ImplicitLocOpBuilder &b, Value begin, Value end, int64_t step,
                             llvm::function_ref<void(Value)> body) {
  forRange(b, begin, end, step, {}, [&](Value index, ValueRange) {
    body(index);
    return SmallVector<Value>{};
  });
}

void moec::codegen::ifThen(ImplicitLocOpBuilder &b, Value condition,
                           llvm::function_ref<void()> body) {
  auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
}

/// Calls `body(offset, width)` for what is left of `columns` after vectors of `lanes`.
static void forTail(int64_t columns, int64_t lanes,
                    llvm::function_ref<void(int64_t offset, int64_t width)> body) {
  int64_t offset = columns / lanes * lanes;
  for (int64_t width = lanes / 2; width >= 1; width /= 2)
    if (columns - offset >= width) {
      body(offset, width);
      offset += width;
    }
}

/// Thread `index` of the team, for bodies of which each thread takes one.
static Value isThread(ImplicitLocOpBuilder &b, const Team &team, int64_t index) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, team.thread,
                               constantIndex(b, index % team.threads));
}

/// forColumns of several threads.
static void spreadColumns(ImplicitLocOpBuilder &b, int64_t columns, const Team &team,
                          llvm::function_ref<void(Value, int64_t)> body) {
  int64_t lanes = team.lanes, step = lanes * team.threads;
  int64_t whole = columns / lanes * lanes, rounds = columns / step * step;
  Value first = mulIndex(b, team.thread, lanes);
  if (rounds)
    forRange(b, constantIndex(b, 0), constantIndex(b, rounds), step,
             [&](Value offset) { body(arith::AddIOp::create(b, offset, first), lanes); });
  if (whole > rounds) {
    Value left = constantIndex(b, whole - rounds);
    ifThen(b, arith::CmpIOp::create(b, arith::CmpIPredicate::ult, first, left),
           [&] { body(addIndex(b, first, rounds), lanes); });
  }
  int64_t taker = 0;
  forTail(columns, lanes, [&](int64_t offset, int64_t width) {
    ifThen(b, isThread(b, team, taker++), [&] { body(constantIndex(b, offset), width); });
  });
}

void moec::codegen::forColumns(ImplicitLocOpBuilder &b, int64_t columns, const Team &team,
                               llvm::function_ref<void(Value, int64_t)> body) {
  if (!team.isOne())
    return spreadColumns(b, columns, team, body);
  int64_t lanes = team.lanes, whole = columns / lanes * lanes;
  if (whole == lanes)
    body(constantIndex(b, 0), lanes);
  else if (whole)
    forRange(b, constantIndex(b, 0), constantIndex(b, whole), lanes,
             [&](Value offset) { body(offset, lanes); });
  forTail(columns, lanes,
          [&](int64_t offset, int64_t width) { body(constantIndex(b, offset), width); });
}

namespace {
/// The two steps of a reduction: of vectors, and of a vector to one value.
struct Combine {
  ImplicitLocOpBuilder &b;
  Reduction kind;

  Value operator()(Value lhs, Value rhs) const {
    if (kind == Reduction::Add)
      return arith::AddFOp::create(b, lhs, rhs);
    return arith::MaximumFOp::create(b, lhs, rhs);
  }
  /// Reassociation lets the reduction be a tree.
  Value collapse(Value vector) const {
    auto combining =
        kind == Reduction::Add ? vector::CombiningKind::ADD : vector::CombiningKind::MAXIMUMF;
    return vector::ReductionOp::create(b, combining, vector, arith::FastMathFlags::reassoc);
  }
};
} // namespace

/// reduceColumns of several threads: each thread its steps, then all of them.
static Value reduceSpread(ImplicitLocOpBuilder &b, int64_t columns, const Team &team,
                          Reduction kind, double identity,
                          llvm::function_ref<Value(Value, int64_t)> values) {
  Combine combine{b, kind};
  int64_t lanes = team.lanes, step = lanes * team.threads, whole = columns / lanes * lanes;
  Value first = mulIndex(b, team.thread, lanes);
  Value total = constantFloat(b, identity);
  if (whole) {
    auto next = [&](Value offset, ValueRange carried) -> SmallVector<Value> {
      return {combine(carried[0], values(offset, lanes))};
    };
    Value sums = forRange(b, first, constantIndex(b, whole), step,
                          constantFloat(b, identity, lanes), next)[0];
    total = combine.collapse(sums);
  }
  int64_t taker = 0;
  forTail(columns, lanes, [&](int64_t offset, int64_t width) {
    auto branch = scf::IfOp::create(b, TypeRange{b.getF32Type()}, isThread(b, team, taker++),
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    Value part = combine.collapse(values(constantIndex(b, offset), width));
    scf::YieldOp::create(b, combine(total, part));
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, total);
    total = branch.getResult(0);
  });
  return reduceTeam(b, team, total, kind);
}

Value moec::codegen::reduceColumns(ImplicitLocOpBuilder &b, int64_t columns, const Team &team,
                                   Reduction kind, double identity,
                                   llvm::function_ref<Value(Value, int64_t)> values) {
  if (!team.isOne())
    return reduceSpread(b, columns, team, kind, identity, values);
  Combine combine{b, kind};
  int64_t lanes = team.lanes;
  Value total;
  auto include = [&](Value part) { total = total ? combine(total, part) : part; };
  // Four sums at once hide the adder's latency.
  int64_t whole = columns / lanes * lanes;
  int64_t parts = whole >= 4 * lanes ? 4 : 1;
  int64_t blocked = whole / (parts * lanes) * (parts * lanes);
  if (blocked) {
    SmallVector<Value> init(parts, constantFloat(b, identity, lanes));
    SmallVector<Value> last =
        forRange(b, constantIndex(b, 0), constantIndex(b, blocked), parts * lanes, init,
                 [&](Value offset, ValueRange carried) {
                   SmallVector<Value> next;
                   for (auto [i, value] : llvm::enumerate(carried))
                     next.push_back(combine(value, values(addIndex(b, offset, i * lanes), lanes)));
                   return next;
                 });
    for (int64_t offset = blocked; offset < whole; offset += lanes)
      last[0] = combine(last[0], values(constantIndex(b, offset), lanes));
    for (Value part : ArrayRef(last).drop_front())
      last[0] = combine(last[0], part);
    include(combine.collapse(last[0]));
  }
  forTail(columns, lanes, [&](int64_t offset, int64_t width) {
    include(combine.collapse(values(constantIndex(b, offset), width)));
  });
  return total ? total : constantFloat(b, identity);
}
