// The instructions of Hopper that the blocks of this folder are built from, one function each. Only
// Instructions.cpp sees the NVVM dialect, whose header costs more to read than all else here
// together.
#pragma once

#include "codegen/target/nvidia/hopper/Memory.h"

namespace moec::hopper {

/// Loads the dialects of what is built here.
void loadInstructions(mlir::MLIRContext *context);

// Where a thread is.
Int getThread(Builder &b);
Int getBlock(Builder &b);
Int getNumBlocks(Builder &b);
/// The block's rank in its cluster.
Int getClusterRank(Builder &b);

// Warps. All 32 lanes take part.
/// `value` of lane `lane`, which makes it uniform for the compiler.
Int broadcast(const Int &value, int64_t lane);
/// `value` (i32 or f32) of the lane whose number differs by the bits `mask`.
Value shuffleXor(Builder &b, Value value, int64_t mask);
/// `value` of the lane `distance` below; the lowest lanes get their own.
Int shuffleUp(const Int &value, int64_t distance);
/// `value` of the lane `distance` above; the highest lanes get their own.
Int shuffleDown(const Int &value, int64_t distance);
/// `value` of lane `lane`.
Int shuffleFrom(const Int &value, const Int &lane);
/// A bit for each lane where `condition` holds.
Int ballot(const Bool &condition);
/// Whether it holds in some lane.
Bool anyLane(const Bool &condition);
void syncWarp(Builder &b);

// Barriers of the block; `threads` is a multiple of 32.
void syncBlock(Builder &b);
void syncNamed(Builder &b, const Int &barrier, int64_t threads);
/// Counts at the barrier without waiting; `threads` counts those who wait, too.
void arriveNamed(Builder &b, int64_t barrier, int64_t threads);

// Barriers in shared memory (8 bytes each, 8-byte aligned).
void initBarrier(const Shared &barrier, int64_t arrivals);
/// Makes initialised barriers visible to the copy engine and to the cluster.
void fenceBarrierInit(Builder &b);
/// Arrives, and makes the phase wait for `bytes` of copies.
void arriveExpecting(const Shared &barrier, const Int &bytes);
/// Arrives when `condition`; no branch, so the block of code is not divided.
void arriveIf(const Shared &barrier, const Bool &condition);
/// The same at the barrier at the same place in block `rank` of the cluster.
void arriveInClusterIf(const Shared &barrier, const Int &rank, const Bool &condition);
/// Waits until the phase of `parity` is complete.
void waitBarrier(const Shared &barrier, const Int &parity);
/// The same at the barrier `offset` bytes behind `base`. The offset is part of the instruction:
/// many barriers then cost one register.
void waitBarrier(const Shared &base, int64_t offset, const Int &parity);
void arriveIf(const Shared &base, int64_t offset, const Bool &condition);

// Copies by the engine. Lengths in bytes, multiples of 16; places 16-byte aligned.
/// A box of `map` at `coordinates` (innermost first), to every block of the cluster in `multicast`
/// (a bit each, 0: this block only), all at the same place; counts at their `barrier`.
void copyBox(const Shared &to, Value map, mlir::ValueRange coordinates, const Shared &barrier,
             uint16_t multicast = 0);
void copyBulk(const Shared &to, const Global &from, const Int &bytes, const Shared &barrier);
/// `bytes` (4 or 16, and aligned so) by the thread itself, where `condition`. It is done when the
/// barrier that the thread names next in arriveAfterCopies completes.
void copyElement(const Shared &to, const Global &from, int64_t bytes, const Bool &condition);
/// Arrives when all copyElements of this thread so far are done; initBarrier counts this arrival.
void arriveAfterCopies(const Shared &barrier);
/// 16 bytes of memory that nothing writes, by the thread itself and past the first cache.
void copyStreaming(const Shared &to, const Global &from);
/// Ends a group of the thread's copyStreamings.
void commitElements(Builder &b);
/// Waits until at most `pending` of the thread's groups are unfinished; what others have copied is
/// not seen.
void waitElements(Builder &b, int64_t pending);
void storeBox(Value map, mlir::ValueRange coordinates, const Shared &from);
/// Ends a group of the thread's stores.
void commitStores(Builder &b);
/// Waits until at most `pending` groups are unfinished: `read` from shared memory only, or written.
void waitStores(Builder &b, unsigned pending, bool read);
void prefetchMap(Builder &b, Value map);
/// Brings a box into the second cache.
void prefetchBox(Builder &b, Value map, mlir::ValueRange coordinates);
/// Orders writes to shared memory that the thread knows of before what the engine and warpgroup
/// products read there.
void fenceCopies(Builder &b);
/// The same for device memory, and for all memory, whoever has written it.
void fenceGlobalCopies(Builder &b);
void fenceAllCopies(Builder &b);
/// Brings the line of `place` into the second cache.
void prefetchLine(const Global &place);

// Counters in device memory (i32), by which blocks of a launch wait for each other.
/// Adds one; who has waited for it sees what this thread's block wrote before (and synchronised).
void countReleased(const Global &counter);
/// Waits until the counter is at least `value`.
void waitCounter(const Global &counter, const Int &value);
/// Adds one, or, where it was `last`, leaves zero.
void countDown(const Global &counter, const Int &last);
/// What this thread wrote to device memory, and what it knows that others wrote, is seen before
/// what follows.
void fenceDevice(Builder &b);
/// Adds to an i32 of device memory and returns what was there.
Int atomicAdd(const Global &at, const Int &value);

// Warpgroup matrix products.
enum class Operand { E4M3, BFloat16 };
void fenceProducts(Builder &b);
/// d (+)= a * b for m64nNkK, K 32 bytes; descriptors i64, `sums` a struct of N / 2 f32. `byColumns`
/// (bf16 only): a's 64 rows, not its K, lie side by side.
Value multiply(Builder &b, Operand type, int64_t n, Value a, Value bOperand, Value sums,
               bool accumulate, bool byColumns = false);
/// sums (+)= a * b for m64nNk16 in bf16: `a` four registers of a lane, `bOperand` the descriptor of
/// rows of N (`isTransposed`) or of K, `sums` N / 2 f32.
Values multiplyRegisters(Builder &b, int64_t n, mlir::ValueRange a, Value bOperand,
                         mlir::ValueRange sums, bool isTransposed = true, bool accumulate = true);
void commitProducts(Builder &b);
/// Waits until at most `pending` groups are unfinished, and passes `sums` through the wait, so that
/// nothing that uses the results can go before it.
Values waitProducts(Builder &b, unsigned pending, mlir::ValueRange sums);
/// The same f32 values, which the compiler must have computed here: it may not sink what makes
/// them.
Values anchor(Builder &b, mlir::ValueRange values);

/// The same value, of which the compiler knows nothing: it cannot compute what follows from it
/// before this place (outside a loop, say, and keep it in registers).
Int pin(const Int &value);
Value pin(Builder &b, Value wide); // i64

// Roles.
void decreaseRegisters(Builder &b, unsigned registers);
void increaseRegisters(Builder &b, unsigned registers);

// Clusters: arrive without ordering memory, and wait.
void arriveCluster(Builder &b);
void waitCluster(Builder &b);

/// One or four f32 into the shared memory of block `rank`, at the same place as `to`; they count as
/// copies at that block's `barrier`.
void storeInCluster(const Shared &to, const Int &rank, mlir::ValueRange values,
                    const Shared &barrier);

// Programmatic dependent launch.
void launchDependents(Builder &b);
void waitDependencies(Builder &b);

// Other arithmetic.
/// Two f32 as two bf16 in an i32, `low` in the low half.
Value packBFloat16(Builder &b, Value low, Value high);
/// The same in f16.
Value packFloat16(Builder &b, Value low, Value high);
/// The f32 in the low (0) or high (1) f16 of an i32.
Value unpackFloat16(Builder &b, Value packed, unsigned half);
/// Two f32 as two saturated E4M3 in an i16, `low` in the low byte.
Value packE4M3(Builder &b, Value low, Value high);
/// Four 8x8 blocks of 16-bit elements to shared memory: lane l gives the address of row l % 8 of
/// block l / 8, and holds of each block elements 2 * (l % 4) and the next of row l / 4.
void storeMatrix(const Shared &to, mlir::ValueRange blocks);
/// m16n8k32 of E4M3 into f32: `a` four, `bOperand` two, `sums` four registers.
Values multiplyWarp(Builder &b, mlir::ValueRange a, mlir::ValueRange bOperand,
                    mlir::ValueRange sums);
/// Four i32 of memory that nothing writes, past the first cache.
Values loadStreaming(const Global &from);
/// 1 / sqrt(x), approximately (relative error 2^-22).
Value rsqrtFast(Builder &b, Value x);
/// 2 ** x, approximately (relative error 2^-22).
Value exp2Fast(Builder &b, Value x);
Value reciprocalFast(Builder &b, Value x);

} // namespace moec::hopper
