#include "codegen/kernels/permutation/FewSort.h"

#include "codegen/kernels/Exchange.h"
#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::codegen;
using arith::CmpIPredicate;

Value FewSort::number(int64_t value) const { return arith::ConstantIntOp::create(b, value, 32); }

Value FewSort::compare(CmpIPredicate predicate, Value x, Value y) const {
  return arith::CmpIOp::create(b, predicate, x, y);
}

Value FewSort::addIf(Value sum, Value condition) const {
  return arith::AddIOp::create(b, sum, arith::ExtUIOp::create(b, b.getI32Type(), condition));
}

/// Of pair `lane`; of what is none, behind all experts.
Value FewSort::loadExpert(Value lane, Value isPair) const {
  auto branch = scf::IfOp::create(b, TypeRange{b.getI32Type()}, isPair, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  Value count = constantIndex(b, topK);
  SmallVector<Value> at = {arith::DivUIOp::create(b, lane, count),
                           arith::RemUIOp::create(b, lane, count)};
  scf::YieldOp::create(b, ValueRange{memref::LoadOp::create(b, ids.data, at)});
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, ValueRange{number(std::numeric_limits<int32_t>::max())});
  return branch.getResult(0);
}

void FewSort::emit(Value numPairs) const {
  Value lane = arith::RemUIOp::create(b, team.thread, constantIndex(b, team.subgroup));
  Value isPair = compare(CmpIPredicate::ult, lane, numPairs);
  Value own = loadExpert(lane, isPair);
  Value pair = arith::IndexCastOp::create(b, b.getI32Type(), lane);
  Value thread = arith::IndexCastOp::create(b, b.getI32Type(), team.thread);

  // The thread's experts, and how many pairs have lower ones. Behind the last one all pairs do.
  SmallVector<Value> experts, starts;
  for (int64_t first = 0; offsets && first <= this->experts; first += team.threads) {
    experts.push_back(arith::AddIOp::create(b, thread, number(first)));
    starts.push_back(number(0));
  }
  Value slot = number(0);
  for (int64_t i = 0; i < team.subgroup; ++i) {
    Value other = readThread(b, team, own, number(i));
    Value isLower = compare(CmpIPredicate::slt, other, own);
    Value isEqual = compare(CmpIPredicate::eq, other, own);
    Value isEarlier = compare(CmpIPredicate::ult, number(i), pair);
    slot =
        addIf(slot, arith::OrIOp::create(b, isLower, arith::AndIOp::create(b, isEqual, isEarlier)));
    for (auto [expert, start] : llvm::zip_equal(experts, starts))
      start = addIf(start, compare(CmpIPredicate::slt, other, expert));
  }
  for (auto [expert, start] : llvm::zip_equal(experts, starts))
    ifThen(b, compare(CmpIPredicate::sle, expert, number(this->experts)), [&] {
      Value at = arith::IndexCastOp::create(b, b.getIndexType(), expert);
      memref::StoreOp::create(b, start, offsets.data, at);
    });
  ifThen(b, compare(CmpIPredicate::ult, team.thread, numPairs), [&] {
    Value count = constantIndex(b, topK);
    if (slots)
      memref::StoreOp::create(b, slot, slots.data,
                              ValueRange{arith::DivUIOp::create(b, lane, count),
                                         arith::RemUIOp::create(b, lane, count)});
    if (rows)
      memref::StoreOp::create(b, pair, rows.data,
                              ValueRange{arith::IndexCastOp::create(b, b.getIndexType(), slot)});
  });
}
