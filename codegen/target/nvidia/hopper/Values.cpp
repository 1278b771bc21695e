#include "codegen/target/nvidia/hopper/Values.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace moec::hopper;

namespace moec::hopper {

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

Int::Int(Builder &b, int64_t constant)
    : b(&b), value(arith::ConstantIntOp::create(b, constant, /*width=*/32)) {}

template <typename Op> static Int apply(const Int &x, const Int &y) {
  return Int(*x.b, x.b->createOrFold<Op>(x.value, y.value));
}

Int operator+(const Int &x, const Int &y) { return apply<arith::AddIOp>(x, y); }
Int operator-(const Int &x, const Int &y) { return apply<arith::SubIOp>(x, y); }
Int operator*(const Int &x, const Int &y) { return apply<arith::MulIOp>(x, y); }
Int operator/(const Int &x, const Int &y) { return apply<arith::DivUIOp>(x, y); }
Int operator%(const Int &x, const Int &y) { return apply<arith::RemUIOp>(x, y); }
Int operator&(const Int &x, const Int &y) { return apply<arith::AndIOp>(x, y); }
Int operator^(const Int &x, const Int &y) { return apply<arith::XOrIOp>(x, y); }
Int operator<<(const Int &x, const Int &y) { return apply<arith::ShLIOp>(x, y); }
Int operator>>(const Int &x, const Int &y) { return apply<arith::ShRUIOp>(x, y); }
Int min(const Int &x, const Int &y) { return apply<arith::MinUIOp>(x, y); }

Int max(const Int &x, const Int &y) { return apply<arith::MaxUIOp>(x, y); }
Int minusOrZero(const Int &x, const Int &y) { return select(x < y, Int(*x.b, 0), x - y); }
Int countOnes(const Int &x) { return Int(*x.b, math::CtPopOp::create(*x.b, x.value).getResult()); }
Int countTrailingZeros(const Int &x) {
  return Int(*x.b, math::CountTrailingZerosOp::create(*x.b, x.value).getResult());
}

Int ceilDiv(const Int &x, int64_t y) { return (x + (y - 1)) / y; }
Int ceilDiv(const Int &x, const Int &y) { return (x + (y - 1)) / y; }

static Bool compare(arith::CmpIPredicate predicate, const Int &x, const Int &y) {
  return {x.b, x.b->createOrFold<arith::CmpIOp>(predicate, x.value, y.value)};
}

Bool operator==(const Int &x, const Int &y) { return compare(arith::CmpIPredicate::eq, x, y); }
Bool operator!=(const Int &x, const Int &y) { return compare(arith::CmpIPredicate::ne, x, y); }
Bool operator<(const Int &x, const Int &y) { return compare(arith::CmpIPredicate::ult, x, y); }
Bool operator>=(const Int &x, const Int &y) { return compare(arith::CmpIPredicate::uge, x, y); }

Bool operator&(const Bool &x, const Bool &y) {
  return {x.b, x.b->createOrFold<arith::AndIOp>(x.value, y.value)};
}

Bool operator|(const Bool &x, const Bool &y) {
  return {x.b, x.b->createOrFold<arith::OrIOp>(x.value, y.value)};
}

Value select(const Bool &condition, Value yes, Value no) {
  return condition.b->createOrFold<arith::SelectOp>(condition.value, yes, no);
}

Int select(const Bool &condition, const Int &yes, const Int &no) {
  return Int(*condition.b, select(condition, yes.value, no.value));
}

Int toInt(const Bool &x) {
  return Int(*x.b, x.b->createOrFold<arith::ExtUIOp>(x.b->getI32Type(), x.value));
}

Value toWide(const Int &x) { return x.b->createOrFold<arith::ExtUIOp>(x.b->getI64Type(), x.value); }

Int fromWide(Builder &b, Value wide) {
  return Int(b, b.createOrFold<arith::TruncIOp>(b.getI32Type(), wide));
}

//===----------------------------------------------------------------------===//
// Floats
//===----------------------------------------------------------------------===//

Value constantFloat(Builder &b, double x) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(x));
}

Value addFloat(Builder &b, Value x, Value y) { return arith::AddFOp::create(b, x, y); }
Value multiplyFloat(Builder &b, Value x, Value y) { return arith::MulFOp::create(b, x, y); }
Value divideFloat(Builder &b, Value x, Value y) { return arith::DivFOp::create(b, x, y); }
Value subtractFloat(Builder &b, Value x, Value y) { return arith::SubFOp::create(b, x, y); }
Value negateFloat(Builder &b, Value x) { return arith::NegFOp::create(b, x); }
Bool isGreater(Builder &b, Value x, Value y) {
  return {&b, arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, y).getResult()};
}
Bool isOther(Builder &b, Value x, Value y) {
  return {&b, arith::CmpFOp::create(b, arith::CmpFPredicate::ONE, x, y).getResult()};
}
Value maxFloat(Builder &b, Value x, Value y) { return arith::MaximumFOp::create(b, x, y); }
Value absFloat(Builder &b, Value x) { return math::AbsFOp::create(b, x); }
Value fma(Builder &b, Value x, Value y, Value z) { return math::FmaOp::create(b, x, y, z); }

Value toFloat(Builder &b, Value x) {
  return x.getType().isF32() ? x : arith::ExtFOp::create(b, b.getF32Type(), x).getResult();
}

Value unpackBFloat16(Builder &b, Value packed, unsigned half) {
  Int bits = half ? Int(b, packed) & -65536 : Int(b, packed) << 16;
  return arith::BitcastOp::create(b, b.getF32Type(), bits.value);
}

//===----------------------------------------------------------------------===//
// Branches
//===----------------------------------------------------------------------===//

void ifThen(const Bool &condition, llvm::function_ref<void()> yes, llvm::function_ref<void()> no) {
  Builder &b = *condition.b;
  auto branch = scf::IfOp::create(b, condition.value, /*withElseRegion=*/static_cast<bool>(no));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenYield());
  yes();
  if (no) {
    b.setInsertionPoint(branch.elseYield());
    no();
  }
}

Values choose(const Bool &condition, TypeRange types, llvm::function_ref<Values()> yes,
              llvm::function_ref<Values()> no) {
  Builder &b = *condition.b;
  auto branch = scf::IfOp::create(b, types, condition.value, /*addThenBlock=*/true,
                                  /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, yes());
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, no());
  return Values(branch.getResults());
}

Values whileLoop(Builder &b, ValueRange init, llvm::function_ref<Bool(ValueRange carried)> more,
                 llvm::function_ref<Values(ValueRange carried)> body) {
  auto loop = scf::WhileOp::create(
      b, init.getTypes(), init,
      [&](OpBuilder &, Location, ValueRange carried) {
        scf::ConditionOp::create(b, more(carried).value, carried);
      },
      [&](OpBuilder &, Location, ValueRange carried) { scf::YieldOp::create(b, body(carried)); });
  return Values(loop.getResults());
}

Values forLoop(const Int &begin, const Int &end, const Int &step, ValueRange init,
               llvm::function_ref<Values(Int i, ValueRange carried)> body) {
  Builder &b = *begin.b;
  auto loop = scf::ForOp::create(b, begin.value, end.value, step.value, init);
  OpBuilder::InsertionGuard guard(b);
  if (!init.empty()) // otherwise the builder has made a terminator
    b.setInsertionPointToStart(loop.getBody());
  else
    b.setInsertionPoint(loop.getBody()->getTerminator());
  Values next = body(Int(b, loop.getInductionVar()), loop.getRegionIterArgs());
  if (!init.empty())
    scf::YieldOp::create(b, next);
  return Values(loop.getResults());
}

void forLoop(const Int &begin, const Int &end, const Int &step,
             llvm::function_ref<void(Int i)> body) {
  forLoop(begin, end, step, {}, [&](Int i, ValueRange) {
    body(i);
    return Values();
  });
}

} // namespace moec::hopper
