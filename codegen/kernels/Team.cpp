// Teams of several threads: upstream gpu ops, and memory that the threads share.
#include "codegen/kernels/Team.h"

#include "codegen/kernels/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec::codegen;

/// The declaration of the function that stands for a subgroup's barrier.
static void declareSubgroupBarrier(ImplicitLocOpBuilder &b) {
  auto module = b.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
  if (module.lookupSymbol(kSubgroupBarrier))
    return;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(module.getBody());
  func::FuncOp::create(b, kSubgroupBarrier, b.getFunctionType({}, {})).setPrivate();
}

Team moec::codegen::makeBlockTeam(ImplicitLocOpBuilder &b, int64_t lanes, int64_t threads,
                                  int64_t subgroup) {
  assert(llvm::isPowerOf2_64(subgroup));
  assert(llvm::isPowerOf2_64(threads) || threads % subgroup == 0);
  Team team(lanes);
  team.threads = threads;
  team.subgroup = subgroup;
  if (threads > 1) {
    team.thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
    declareSubgroupBarrier(b);
  }
  return team;
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

void moec::codegen::barrier(ImplicitLocOpBuilder &b, const Team &team) {
  if (team.isOne())
    return;
  if (team.threads > team.subgroup) {
    gpu::BarrierOp::create(b);
    return;
  }
  func::CallOp::create(b, kSubgroupBarrier, TypeRange{});
}

static Value isThread(ImplicitLocOpBuilder &b, const Team &team, int64_t thread) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, team.thread, constantIndex(b, thread));
}

void moec::codegen::runOnce(ImplicitLocOpBuilder &b, const Team &team,
                            llvm::function_ref<void()> body) {
  if (team.isOne())
    return body();
  ifThen(b, isThread(b, team, 0), body);
}

//===----------------------------------------------------------------------===//
// Shares
//===----------------------------------------------------------------------===//

void moec::codegen::forItems(ImplicitLocOpBuilder &b, const Team &team, Value begin, Value end,
                             llvm::function_ref<void(Value, const Team &)> body) {
  if (team.threads <= team.subgroup) {
    forRange(b, begin, end, 1, [&](Value index) { body(index, team); });
    return;
  }
  Team part(team.lanes);
  part.threads = part.subgroup = team.subgroup;
  Value size = constantIndex(b, team.subgroup);
  part.thread = arith::RemUIOp::create(b, team.thread, size);
  Value first = addIndex(b, begin, arith::DivUIOp::create(b, team.thread, size).getResult());
  forRange(b, first, end, team.threads / team.subgroup, [&](Value index) { body(index, part); });
}

void moec::codegen::forScalars(ImplicitLocOpBuilder &b, const Team &team, Value begin, Value end,
                               llvm::function_ref<void(Value)> body) {
  Value first = team.isOne() ? begin : addIndex(b, begin, team.thread);
  forRange(b, first, end, team.threads, body);
}

//===----------------------------------------------------------------------===//
// Agreement
//===----------------------------------------------------------------------===//

static Value number(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIntOp::create(b, value, 32);
}

static Value shuffle(ImplicitLocOpBuilder &b, const Team &team, Value value, int64_t by,
                     gpu::ShuffleMode mode = gpu::ShuffleMode::XOR) {
  return gpu::ShuffleOp::create(b, value, number(b, by), number(b, team.subgroup), mode)
      .getShuffleResult();
}

/// One thread of each part stores its value for the others.
static void exchange(ImplicitLocOpBuilder &b, const Team &team, Value value, Value memory) {
  Value size = constantIndex(b, team.subgroup);
  Value lane = arith::RemUIOp::create(b, team.thread, size);
  Value part = arith::DivUIOp::create(b, team.thread, size);
  ifThen(b, arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lane, constantIndex(b, 0)),
         [&] { memref::StoreOp::create(b, value, memory, part); });
}

static Value loadAll(ImplicitLocOpBuilder &b, const Team &team, Value memory) {
  auto type = cast<MemRefType>(memory.getType());
  auto all = VectorType::get({team.threads / team.subgroup}, type.getElementType());
  return vector::LoadOp::create(b, all, memory, ValueRange{constantIndex(b, 0)});
}

Value moec::codegen::reduceTeam(ImplicitLocOpBuilder &b, const Team &team, Value value,
                                Reduction kind) {
  for (int64_t by = team.partThreads() / 2; by >= 1; by /= 2) {
    Value other = shuffle(b, team, value, by);
    value = kind == Reduction::Add ? arith::AddFOp::create(b, value, other).getResult()
                                   : arith::MaximumFOp::create(b, value, other).getResult();
  }
  if (team.threads <= team.subgroup)
    return value;
  barrier(b, team); // all have read what was exchanged before
  exchange(b, team, value, team.scratch);
  barrier(b, team);
  auto combining =
      kind == Reduction::Add ? vector::CombiningKind::ADD : vector::CombiningKind::MAXIMUMF;
  return vector::ReductionOp::create(b, combining, loadAll(b, team, team.scratch),
                                     arith::FastMathFlags::reassoc);
}

/// Whether (value, index) comes before (other, otherIndex).
static Value isBetter(ImplicitLocOpBuilder &b, Value value, Value index, Value other,
                      Value otherIndex) {
  auto compare = [&](arith::CmpIPredicate predicate, Value lhs, Value rhs) -> Value {
    return arith::CmpIOp::create(b, predicate, lhs, rhs);
  };
  Value none = number(b, -1);
  Value isThere = compare(arith::CmpIPredicate::ne, index, none);
  Value isAlone = compare(arith::CmpIPredicate::eq, otherIndex, none);
  Value isLarger = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, value, other);
  Value isEqual = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, value, other);
  Value isBefore = compare(arith::CmpIPredicate::slt, index, otherIndex);
  isEqual = arith::AndIOp::create(b, isEqual, isBefore);
  Value better = arith::OrIOp::create(b, isAlone, arith::OrIOp::create(b, isLarger, isEqual));
  return arith::AndIOp::create(b, isThere, better);
}

std::pair<Value, Value> moec::codegen::findLargest(ImplicitLocOpBuilder &b, const Team &team,
                                                   Value value, Value index) {
  auto take = [&](Value other, Value otherIndex) {
    Value better = isBetter(b, other, otherIndex, value, index);
    value = arith::SelectOp::create(b, better, other, value);
    index = arith::SelectOp::create(b, better, otherIndex, index);
  };
  for (int64_t by = team.partThreads() / 2; by >= 1; by /= 2)
    take(shuffle(b, team, value, by), shuffle(b, team, index, by));
  if (team.threads <= team.subgroup) {
    // Beside a NaN two threads may each prefer their own.
    value = shuffle(b, team, value, 0, gpu::ShuffleMode::IDX);
    index = shuffle(b, team, index, 0, gpu::ShuffleMode::IDX);
    return {value, index};
  }
  barrier(b, team);
  exchange(b, team, value, team.scratch);
  exchange(b, team, index, team.indices);
  barrier(b, team);
  Value values = loadAll(b, team, team.scratch), found = loadAll(b, team, team.indices);
  value = vector::ExtractOp::create(b, values, 0);
  index = vector::ExtractOp::create(b, found, 0);
  for (int64_t i = 1; i < team.threads / team.subgroup; ++i)
    take(vector::ExtractOp::create(b, values, i), vector::ExtractOp::create(b, found, i));
  return {value, index};
}
