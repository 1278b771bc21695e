#include "codegen/target/nvidia/hopper/Instructions.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace moec::hopper {

//===----------------------------------------------------------------------===//
// Threads, warps, blocks
//===----------------------------------------------------------------------===//

void loadInstructions(MLIRContext *context) {
  context->loadDialect<LLVM::LLVMDialect, NVVM::NVVMDialect>();
}

template <typename Register> static Int readRegister(Builder &b) {
  return Int(b, Register::create(b, b.getI32Type()).getResult());
}
Int getThread(Builder &b) { return readRegister<NVVM::ThreadIdXOp>(b); }
Int getBlock(Builder &b) { return readRegister<NVVM::BlockIdXOp>(b); }
Int getNumBlocks(Builder &b) { return readRegister<NVVM::GridDimXOp>(b); }
Int getClusterRank(Builder &b) { return readRegister<NVVM::BlockInClusterIdXOp>(b); }

static Value shuffle(Builder &b, Value value, const Int &lane, NVVM::ShflKind kind,
                     int64_t clamp = 31) {
  return NVVM::ShflOp::create(b, value.getType(), Int(b, -1).value, value, lane.value,
                              Int(b, clamp).value, kind, /*return_value_and_is_valid=*/UnitAttr())
      .getResult();
}
Int broadcast(const Int &value, int64_t lane) { return shuffleFrom(value, Int(*value.b, lane)); }
Value shuffleXor(Builder &b, Value value, int64_t mask) {
  return shuffle(b, value, Int(b, mask), NVVM::ShflKind::bfly);
}
Int shuffleUp(const Int &value, int64_t distance) {
  Builder &b = *value.b;
  return Int(b, shuffle(b, value.value, Int(b, distance), NVVM::ShflKind::up, /*clamp=*/0));
}
Int shuffleFrom(const Int &value, const Int &lane) {
  return Int(*value.b, shuffle(*value.b, value.value, lane, NVVM::ShflKind::idx));
}

Int shuffleDown(const Int &value, int64_t distance) {
  Builder &b = *value.b;
  return Int(b, shuffle(b, value.value, Int(b, distance), NVVM::ShflKind::down));
}

static Value vote(const Bool &condition, Type type, NVVM::VoteSyncKind kind) {
  Builder &b = *condition.b;
  return NVVM::VoteSyncOp::create(b, type, Int(b, -1).value, condition.value, kind).getResult();
}
Int ballot(const Bool &condition) {
  Builder &b = *condition.b;
  return Int(b, vote(condition, b.getI32Type(), NVVM::VoteSyncKind::ballot));
}
Bool anyLane(const Bool &condition) {
  return {condition.b, vote(condition, condition.b->getI1Type(), NVVM::VoteSyncKind::any)};
}
void syncWarp(Builder &b) { NVVM::SyncWarpOp::create(b, Int(b, -1).value); }

void syncBlock(Builder &b) { NVVM::BarrierOp::create(b); }
void syncNamed(Builder &b, const Int &barrier, int64_t threads) {
  NVVM::BarrierOp::create(b, Type(), barrier.value, Int(b, threads).value,
                          NVVM::BarrierReductionAttr(), Value());
}
void arriveNamed(Builder &b, int64_t barrier, int64_t threads) {
  inlineAsm(b, "bar.arrive " + std::to_string(barrier) + ", " + std::to_string(threads) + ";",
            "~{memory}", {}, {});
}

//===----------------------------------------------------------------------===//
// Barriers in shared memory
//===----------------------------------------------------------------------===//

void initBarrier(const Shared &barrier, int64_t arrivals) {
  NVVM::MBarrierInitOp::create(*barrier.b, barrier.pointer, Int(*barrier.b, arrivals).value,
                               Value());
}
void fenceBarrierInit(Builder &b) { NVVM::FenceMbarrierInitOp::create(b); }

void arriveExpecting(const Shared &barrier, const Int &bytes) {
  NVVM::MBarrierArriveExpectTxOp::create(*barrier.b, Type(), barrier.pointer, bytes.value,
                                         NVVM::MemScopeKind::CTA, /*relaxed=*/false, Value());
}

/// "[$0]", or with an offset.
static std::string formatPlace(int64_t offset) {
  return offset ? "[$0+" + std::to_string(offset) + "]" : "[$0]";
}

void arriveIf(const Shared &base, int64_t offset, const Bool &condition) {
  inlineAsm(*base.b,
            "{.reg .pred p; setp.ne.b32 p, $1, 0; "
            "@p mbarrier.arrive.release.cta.shared::cta.b64 _, " +
                formatPlace(offset) + ";}",
            "r,r,~{memory}", {base.getAddress().value, toInt(condition).value}, {});
}
void arriveIf(const Shared &barrier, const Bool &condition) { arriveIf(barrier, 0, condition); }

// Without .release.cluster, which would be a fence of all memory before each arrival.
void arriveInClusterIf(const Shared &barrier, const Int &rank, const Bool &condition) {
  inlineAsm(*barrier.b,
            "{.reg .pred p; .reg .b32 r; setp.ne.b32 p, $1, 0; "
            "mapa.shared::cluster.u32 r, $0, $2; "
            "@p mbarrier.arrive.shared::cluster.b64 _, [r];}",
            "r,r,r,~{memory}", {barrier.getAddress().value, toInt(condition).value, rank.value},
            {});
}

// The op for this gives a time hint, with which the thread sleeps before it looks again.
void waitBarrier(const Shared &base, int64_t offset, const Int &parity) {
  inlineAsm(*base.b,
            "{.reg .pred p; WAIT: mbarrier.try_wait.parity.shared::cta.b64 p, " +
                formatPlace(offset) + ", $1; @p bra DONE; bra WAIT; DONE: }",
            "r,r,~{memory}", {base.getAddress().value, parity.value}, {});
}
void waitBarrier(const Shared &barrier, const Int &parity) { waitBarrier(barrier, 0, parity); }

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

/// The same place, in the address space of the cluster.
static Value inCluster(const Shared &place) {
  auto type = LLVM::LLVMPointerType::get(place.b->getContext(), 7);
  return LLVM::AddrSpaceCastOp::create(*place.b, type, place.pointer);
}

void copyBox(const Shared &to, Value map, ValueRange coordinates, const Shared &barrier,
             uint16_t multicast) {
  Builder &b = *to.b;
  Value mask;
  if (multicast)
    mask = LLVM::ConstantOp::create(b, b.getI16Type(), b.getI16IntegerAttr(multicast));
  NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
      b, inCluster(to), map, coordinates, barrier.pointer, /*im2colOffsets=*/ValueRange(), mask,
      /*l2CacheHint=*/Value(), NVVM::TMALoadMode::TILE, /*isCTAOnly=*/false,
      NVVM::CTAGroupKindAttr(), /*predicate=*/Value());
}

void copyBulk(const Shared &to, const Global &from, const Int &bytes, const Shared &barrier) {
  NVVM::CpAsyncBulkGlobalToSharedClusterOp::create(*to.b, inCluster(to), from.pointer,
                                                   barrier.pointer, bytes.value, Value(), Value());
}

void copyElement(const Shared &to, const Global &from, int64_t bytes, const Bool &condition) {
  // Only whole 16 bytes may pass by the first cache.
  std::string copy = bytes == 16 ? "cp.async.cg" : "cp.async.ca";
  inlineAsm(*to.b,
            "{.reg .pred p; setp.ne.b32 p, $2, 0; @p " + copy + ".shared::cta.global [$0], [$1], " +
                std::to_string(bytes) + ";}",
            "r,l,r,~{memory}", {to.getAddress().value, from.pointer, toInt(condition).value}, {});
}

void arriveAfterCopies(const Shared &barrier) {
  inlineAsm(*barrier.b, "cp.async.mbarrier.arrive.noinc.shared::cta.b64 [$0];", "r,~{memory}",
            {barrier.getAddress().value}, {});
}

void copyStreaming(const Shared &to, const Global &from) {
  inlineAsm(*to.b, "cp.async.cg.shared::cta.global.L2::128B [$0], [$1], 16;", "r,l,~{memory}",
            {to.getAddress().value, from.pointer}, {});
}

void commitElements(Builder &b) { inlineAsm(b, "cp.async.commit_group;", "~{memory}", {}, {}); }

void waitElements(Builder &b, int64_t pending) {
  inlineAsm(b, "cp.async.wait_group " + std::to_string(pending) + ";", "~{memory}", {}, {});
}

void storeBox(Value map, ValueRange coordinates, const Shared &from) {
  NVVM::CpAsyncBulkTensorSharedCTAToGlobalOp::create(*from.b, map, from.pointer, coordinates,
                                                     /*l2CacheHint=*/Value(),
                                                     NVVM::TMAStoreMode::TILE, Value());
}

void commitStores(Builder &b) { NVVM::CpAsyncBulkCommitGroupOp::create(b); }
void waitStores(Builder &b, unsigned pending, bool read) {
  NVVM::CpAsyncBulkWaitGroupOp::create(b, b.getI32IntegerAttr(pending),
                                       read ? b.getUnitAttr() : UnitAttr());
}
void prefetchMap(Builder &b, Value map) {
  NVVM::PrefetchOp::create(b, NVVM::PrefetchCacheLevelAttr(), NVVM::CacheEvictionPriorityAttr(),
                           map, Value(), b.getUnitAttr());
}
void prefetchBox(Builder &b, Value map, ValueRange coordinates) {
  NVVM::CpAsyncBulkTensorPrefetchOp::create(b, map, coordinates, /*im2colOffsets=*/ValueRange(),
                                            NVVM::TMALoadMode::TILE, /*l2CacheHint=*/Value());
}
void fenceDevice(Builder &b) { inlineAsm(b, "fence.acq_rel.gpu;", "~{memory}", {}, {}); }
Int atomicAdd(const Global &at, const Int &value) {
  Builder &b = *value.b;
  return Int(b, inlineAsm(b, "atom.global.add.u32 $0, [$1], $2;", "=r,l,r,~{memory}",
                          {at.pointer, value.value}, {b.getI32Type()})
                    .front());
}
void fenceCopies(Builder &b) {
  NVVM::FenceProxyOp::create(
      b, NVVM::ProxyKind::async_shared,
      NVVM::SharedSpaceAttr::get(b.getContext(), NVVM::SharedSpace::shared_cta));
}
void fenceGlobalCopies(Builder &b) {
  inlineAsm(b, "fence.proxy.async.global;", "~{memory}", {}, {});
}
void fenceAllCopies(Builder &b) { inlineAsm(b, "fence.proxy.async;", "~{memory}", {}, {}); }
void prefetchLine(const Global &place) {
  inlineAsm(*place.b, "prefetch.global.L2 [$0];", "l", {place.pointer}, {});
}

//===----------------------------------------------------------------------===//
// Counters in device memory
//===----------------------------------------------------------------------===//

void countReleased(const Global &counter) {
  inlineAsm(*counter.b, "fence.acq_rel.gpu; red.release.gpu.global.add.u32 [$0], 1;", "l,~{memory}",
            {counter.pointer}, {});
}

void waitCounter(const Global &counter, const Int &value) {
  inlineAsm(*counter.b,
            "{.reg .pred p; .reg .b32 r; WAIT: ld.acquire.gpu.global.u32 r, [$0]; "
            "setp.ge.u32 p, r, $1; @p bra DONE; bra WAIT; DONE: }",
            "l,r,~{memory}", {counter.pointer, value.value}, {});
}

void countDown(const Global &counter, const Int &last) {
  inlineAsm(*counter.b,
            "{.reg .pred p; .reg .b32 r; atom.acq_rel.gpu.global.add.u32 r, [$0], 1; "
            "setp.eq.u32 p, r, $1; @p st.relaxed.gpu.global.u32 [$0], 0;}",
            "l,r,~{memory}", {counter.pointer, last.value}, {});
}

//===----------------------------------------------------------------------===//
// Matrix products of warpgroups
//===----------------------------------------------------------------------===//

void fenceProducts(Builder &b) { NVVM::WgmmaFenceAlignedOp::create(b); }
void commitProducts(Builder &b) { NVVM::WgmmaGroupSyncAlignedOp::create(b); }

Value multiply(Builder &b, Operand type, int64_t n, Value a, Value bOperand, Value sums,
               bool accumulate, bool byColumns) {
  MLIRContext *context = b.getContext();
  bool isByte = type == Operand::E4M3;
  auto element = isByte ? NVVM::WGMMATypes::e4m3 : NVVM::WGMMATypes::bf16;
  return NVVM::WgmmaMmaAsyncOp::create(
             b, sums.getType(), sums, a, bOperand,
             NVVM::MMAShapeAttr::get(context, 64, static_cast<int>(n), isByte ? 32 : 16),
             NVVM::WGMMATypesAttr::get(context, element),
             NVVM::WGMMATypesAttr::get(context, element),
             NVVM::WGMMATypesAttr::get(context, NVVM::WGMMATypes::f32),
             NVVM::WGMMAScaleOutAttr::get(context, accumulate ? NVVM::WGMMAScaleOut::one
                                                              : NVVM::WGMMAScaleOut::zero),
             NVVM::WGMMAScaleInAttr::get(context, NVVM::WGMMAScaleIn::one),
             NVVM::WGMMAScaleInAttr::get(context, NVVM::WGMMAScaleIn::one),
             NVVM::MMALayoutAttr::get(context,
                                      byColumns ? NVVM::MMALayout::col : NVVM::MMALayout::row),
             NVVM::MMALayoutAttr::get(context, NVVM::MMALayout::col), NVVM::MMAIntOverflowAttr())
      .getResult();
}

/// "=f" for each value, then each tied to it.
static std::string tieFloats(size_t count) {
  std::string constraints;
  for (size_t i = 0; i < count; ++i)
    constraints += i ? ",=f" : "=f";
  for (size_t i = 0; i < count; ++i)
    constraints += "," + std::to_string(i);
  return constraints;
}

Values multiplyRegisters(Builder &b, int64_t n, ValueRange a, Value bOperand, ValueRange sums,
                         bool isTransposed, bool accumulate) {
  std::string results;
  for (size_t i = 0; i < sums.size(); ++i)
    results += (i ? ",$" : "$") + std::to_string(i);
  auto operand = [&](size_t i) { return "$" + std::to_string(2 * sums.size() + i); };
  std::string text = std::string("{ .reg .pred p; setp.ne.b32 p, ") + (accumulate ? "1" : "0") +
                     ", 0; wgmma.mma_async.sync.aligned.m64n" + std::to_string(n) +
                     "k16.f32.bf16.bf16 {" + results + "}, {" + operand(0) + "," + operand(1) +
                     "," + operand(2) + "," + operand(3) + "}, " + operand(4) + ", p, 1, 1, " +
                     (isTransposed ? "1" : "0") + "; }";
  Values operands(sums);
  operands.append(a.begin(), a.end());
  operands.push_back(bOperand);
  return inlineAsm(b, text, tieFloats(sums.size()) + ",r,r,r,r,l", operands, sums.getTypes());
}

Values waitProducts(Builder &b, unsigned pending, ValueRange sums) {
  return inlineAsm(b, "wgmma.wait_group.sync.aligned " + std::to_string(pending) + ";",
                   tieFloats(sums.size()), sums, sums.getTypes());
}

Values anchor(Builder &b, ValueRange values) {
  return inlineAsm(b, "", tieFloats(values.size()), values, values.getTypes());
}

Int pin(const Int &value) {
  Builder &b = *value.b;
  return Int(b, inlineAsm(b, "", "=r,0", {value.value}, {b.getI32Type()}).front());
}
Value pin(Builder &b, Value wide) {
  return inlineAsm(b, "", "=l,0", {wide}, {b.getI64Type()}).front();
}

//===----------------------------------------------------------------------===//
// Roles, clusters, launches
//===----------------------------------------------------------------------===//

void decreaseRegisters(Builder &b, unsigned registers) {
  NVVM::SetMaxRegisterOp::create(b, registers, NVVM::SetMaxRegisterAction::decrease);
}
void increaseRegisters(Builder &b, unsigned registers) {
  NVVM::SetMaxRegisterOp::create(b, registers, NVVM::SetMaxRegisterAction::increase);
}

void arriveCluster(Builder &b) { NVVM::ClusterArriveRelaxedOp::create(b, b.getUnitAttr()); }
void waitCluster(Builder &b) { NVVM::ClusterWaitOp::create(b, b.getUnitAttr()); }

void storeInCluster(const Shared &to, const Int &rank, ValueRange values, const Shared &barrier) {
  Values operands{to.getAddress().value, rank.value, barrier.getAddress().value};
  llvm::append_range(operands, values);
  bool isOne = values.size() == 1;
  std::string store = "st.async.shared::cluster.mbarrier::complete_tx::bytes";
  inlineAsm(*to.b,
            "{.reg .b32 t, r; mapa.shared::cluster.u32 t, $0, $1; "
            "mapa.shared::cluster.u32 r, $2, $1; " +
                store + (isOne ? ".f32 [t], $3, [r];}" : ".v4.f32 [t], {$3,$4,$5,$6}, [r];}"),
            isOne ? "r,r,r,f,~{memory}" : "r,r,r,f,f,f,f,~{memory}", operands, {});
}

void launchDependents(Builder &b) {
  NVVM::GriddepcontrolOp::create(b, NVVM::GridDepActionKind::launch_dependents);
}
void waitDependencies(Builder &b) {
  NVVM::GriddepcontrolOp::create(b, NVVM::GridDepActionKind::wait);
}

//===----------------------------------------------------------------------===//
// Other arithmetic
//===----------------------------------------------------------------------===//

Value packFloat16(Builder &b, Value low, Value high) {
  return inlineAsm(b, "cvt.rn.f16x2.f32 $0, $1, $2;", "=r,f,f", {high, low}, {b.getI32Type()},
                   /*hasSideEffects=*/false)
      .front();
}

Value unpackFloat16(Builder &b, Value packed, unsigned half) {
  llvm::StringRef text = half ? "{.reg .b16 l, h; mov.b32 {l, h}, $1; cvt.f32.f16 $0, h;}"
                              : "{.reg .b16 l, h; mov.b32 {l, h}, $1; cvt.f32.f16 $0, l;}";
  return inlineAsm(b, text, "=f,r", {packed}, {b.getF32Type()}, /*hasSideEffects=*/false).front();
}

Value packBFloat16(Builder &b, Value low, Value high) {
  return inlineAsm(b, "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f", {high, low}, {b.getI32Type()},
                   /*hasSideEffects=*/false)
      .front();
}

Value packE4M3(Builder &b, Value low, Value high) {
  return inlineAsm(b, "cvt.rn.satfinite.e4m3x2.f32 $0, $1, $2;", "=h,f,f", {high, low},
                   {b.getI16Type()}, /*hasSideEffects=*/false)
      .front();
}

void storeMatrix(const Shared &to, ValueRange blocks) {
  MLIRContext *context = to.b->getContext();
  NVVM::StMatrixOp::create(*to.b, to.pointer, blocks, NVVM::MMALayout::row,
                           NVVM::LdStMatrixShapeAttr::get(context, 8, 8),
                           NVVM::LdStMatrixEltType::B16);
}

Values multiplyWarp(Builder &b, ValueRange a, ValueRange bOperand, ValueRange sums) {
  Values operands(a);
  llvm::append_range(operands, bOperand);
  llvm::append_range(operands, sums);
  return inlineAsm(b,
                   "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {$0,$1,$2,$3}, "
                   "{$4,$5,$6,$7}, {$8,$9}, {$10,$11,$12,$13};",
                   "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f", operands, sums.getTypes(),
                   /*hasSideEffects=*/false);
}

Values loadStreaming(const Global &from) {
  SmallVector<Type> types(4, from.b->getI32Type());
  return inlineAsm(*from.b, "ld.global.nc.L1::no_allocate.L2::128B.v4.b32 {$0,$1,$2,$3}, [$4];",
                   "=r,=r,=r,=r,l", {from.pointer}, types);
}

Value rsqrtFast(Builder &b, Value x) {
  return inlineAsm(b, "rsqrt.approx.ftz.f32 $0, $1;", "=f,f", {x}, {x.getType()}, false).front();
}

Value exp2Fast(Builder &b, Value x) {
  return inlineAsm(b, "ex2.approx.ftz.f32 $0, $1;", "=f,f", {x}, {x.getType()}, false).front();
}
Value reciprocalFast(Builder &b, Value x) {
  return inlineAsm(b, "rcp.approx.ftz.f32 $0, $1;", "=f,f", {x}, {x.getType()}, false).front();
}

} // namespace moec::hopper
