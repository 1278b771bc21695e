// 32-bit integers and branches of device code, written with operators: `row * pitch + column`.
// Kernels for Hopper are mostly such arithmetic on sizes and addresses; as calls of builders nobody
// could read it.
#pragma once

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace moec::hopper {

using mlir::Value;
using Builder = mlir::ImplicitLocOpBuilder;
using Values = llvm::SmallVector<Value>;

/// An i1 being computed.
struct Bool {
  Builder *b = nullptr;
  Value value;
};

/// An i32 being computed; unsigned in divisions, shifts and comparisons.
struct Int {
  Int() = default;
  Int(Builder &b, Value value) : b(&b), value(value) {}
  Int(Builder &b, int64_t constant);

  Builder *b = nullptr;
  Value value;
};

// Constants are folded.
Int operator+(const Int &x, const Int &y);
Int operator-(const Int &x, const Int &y);
Int operator*(const Int &x, const Int &y);
Int operator/(const Int &x, const Int &y);
Int operator%(const Int &x, const Int &y);
Int operator&(const Int &x, const Int &y);
Int operator^(const Int &x, const Int &y);
Int operator<<(const Int &x, const Int &y);
Int operator>>(const Int &x, const Int &y);
Bool operator==(const Int &x, const Int &y);
Bool operator!=(const Int &x, const Int &y);
Bool operator<(const Int &x, const Int &y);
Bool operator>=(const Int &x, const Int &y);

inline Int operator+(const Int &x, int64_t y) { return x + Int(*x.b, y); }
inline Int operator-(const Int &x, int64_t y) { return x - Int(*x.b, y); }
inline Int operator*(const Int &x, int64_t y) { return x * Int(*x.b, y); }
inline Int operator/(const Int &x, int64_t y) { return x / Int(*x.b, y); }
inline Int operator%(const Int &x, int64_t y) { return x % Int(*x.b, y); }
inline Int operator&(const Int &x, int64_t y) { return x & Int(*x.b, y); }
inline Int operator^(const Int &x, int64_t y) { return x ^ Int(*x.b, y); }
inline Int operator<<(const Int &x, int64_t y) { return x << Int(*x.b, y); }
inline Int operator>>(const Int &x, int64_t y) { return x >> Int(*x.b, y); }
inline Bool operator==(const Int &x, int64_t y) { return x == Int(*x.b, y); }
inline Bool operator!=(const Int &x, int64_t y) { return x != Int(*x.b, y); }
inline Bool operator<(const Int &x, int64_t y) { return x < Int(*x.b, y); }
inline Bool operator>=(const Int &x, int64_t y) { return x >= Int(*x.b, y); }

Bool operator&(const Bool &x, const Bool &y);
Bool operator|(const Bool &x, const Bool &y);

Int min(const Int &x, const Int &y);
Int max(const Int &x, const Int &y);
/// x - y, or 0 where y is larger.
Int minusOrZero(const Int &x, const Int &y);
Int countOnes(const Int &x);
/// Zeros below the lowest one; 32 for 0.
Int countTrailingZeros(const Int &x);
Int ceilDiv(const Int &x, int64_t y);
Int ceilDiv(const Int &x, const Int &y);
Int select(const Bool &condition, const Int &yes, const Int &no);
Value select(const Bool &condition, Value yes, Value no);
/// 1 or 0.
Int toInt(const Bool &x);
/// Zero-extended, i64.
Value toWide(const Int &x);
/// The low 32 bits of an i64.
Int fromWide(Builder &b, Value wide);

// f32
Value constantFloat(Builder &b, double x);
Value addFloat(Builder &b, Value x, Value y);
Value multiplyFloat(Builder &b, Value x, Value y);
Value divideFloat(Builder &b, Value x, Value y);
Value subtractFloat(Builder &b, Value x, Value y);
Value negateFloat(Builder &b, Value x);
/// False when either is NaN.
Bool isGreater(Builder &b, Value x, Value y);
/// Whether they are different numbers.
Bool isOther(Builder &b, Value x, Value y);
Value maxFloat(Builder &b, Value x, Value y);
Value absFloat(Builder &b, Value x);
/// x * y + z, rounded once.
Value fma(Builder &b, Value x, Value y, Value z);
/// To or from f32, whatever the float type of `x` is.
Value toFloat(Builder &b, Value x);
/// The f32 in the low (0) or high (1) bf16 of an i32.
Value unpackBFloat16(Builder &b, Value packed, unsigned half);

void ifThen(const Bool &condition, llvm::function_ref<void()> yes,
            llvm::function_ref<void()> no = nullptr);

/// What the branch that is taken returns; both return values of `types`.
Values choose(const Bool &condition, mlir::TypeRange types, llvm::function_ref<Values()> yes,
              llvm::function_ref<Values()> no);

/// while (more(carried)) carried = body(carried); returns the last `carried`.
Values whileLoop(Builder &b, mlir::ValueRange init,
                 llvm::function_ref<Bool(mlir::ValueRange carried)> more,
                 llvm::function_ref<Values(mlir::ValueRange carried)> body);

/// for (i = begin; i < end; i += step) carried = body(i, carried); returns the last `carried`.
Values forLoop(const Int &begin, const Int &end, const Int &step, mlir::ValueRange init,
               llvm::function_ref<Values(Int i, mlir::ValueRange carried)> body);
void forLoop(const Int &begin, const Int &end, const Int &step,
             llvm::function_ref<void(Int i)> body);

} // namespace moec::hopper
