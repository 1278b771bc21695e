// Loops over the static columns of a row, and loads and stores that convert
// between an element type in memory and f32 in registers.
//
// Tails need no masks: columns are static, so what is left after the full
// vectors is done in shorter ones, powers of two. A number where a team is asked
// for is a team of one thread with so many lanes.
#pragma once

#include "codegen/kernels/Team.h"

#include <functional>

namespace moec::codegen {

mlir::Value constantIndex(mlir::ImplicitLocOpBuilder &b, int64_t value);
/// A constant f32, or a vector of `lanes` of them.
mlir::Value constantFloat(mlir::ImplicitLocOpBuilder &b, double value, int64_t lanes = 0);
mlir::Value addIndex(mlir::ImplicitLocOpBuilder &b, mlir::Value lhs, mlir::Value rhs);
mlir::Value addIndex(mlir::ImplicitLocOpBuilder &b, mlir::Value lhs, int64_t rhs);
mlir::Value mulIndex(mlir::ImplicitLocOpBuilder &b, mlir::Value lhs, int64_t rhs);

/// f32 vector of `lanes`.
mlir::VectorType floatVector(mlir::ImplicitLocOpBuilder &b, int64_t lanes);

/// Loads `lanes` consecutive elements (f32, bf16, f16 or f8E4M3FN) as vector<lanes x f32>.
/// f8E4M3FN is exact, subnormals and NaN (0x7f, 0xff) included.
mlir::Value loadFloats(mlir::ImplicitLocOpBuilder &b, mlir::Value memref, mlir::ValueRange indices,
                       int64_t lanes);
/// Stores vector<N x f32> converted to the memref's element type: round to nearest
/// even; f8E4M3FN saturates at +-448 and keeps NaN.
void storeFloats(mlir::ImplicitLocOpBuilder &b, mlir::Value values, mlir::Value memref,
                 mlir::ValueRange indices);
/// f32 values, or a vector of them, as a tensor of type `tensor` holds them: rounded to its element
/// type and extended again. Nothing is emitted for f32.
mlir::Value roundFloats(mlir::ImplicitLocOpBuilder &b, mlir::Value values, mlir::Type tensor);
/// Scalar forms.
mlir::Value loadFloat(mlir::ImplicitLocOpBuilder &b, mlir::Value memref, mlir::ValueRange indices);
void storeFloat(mlir::ImplicitLocOpBuilder &b, mlir::Value value, mlir::Value memref,
                mlir::ValueRange indices);
/// An i32 element as index.
mlir::Value loadIndex(mlir::ImplicitLocOpBuilder &b, mlir::Value memref, mlir::ValueRange indices);

/// scf.for from `begin` to `end` by `step`; the body gets the induction variable.
void forRange(mlir::ImplicitLocOpBuilder &b, mlir::Value begin, mlir::Value end, int64_t step,
              llvm::function_ref<void(mlir::Value)> body);
/// The same with values carried from step to step; returns the last ones.
llvm::SmallVector<mlir::Value>
forRange(mlir::ImplicitLocOpBuilder &b, mlir::Value begin, mlir::Value end, int64_t step,
         mlir::ValueRange init,
         llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, mlir::ValueRange)> body);
/// scf.if without else.
void ifThen(mlir::ImplicitLocOpBuilder &b, mlir::Value condition, llvm::function_ref<void()> body);

/// Calls `body(offset, width)` so that [0, columns) is covered: steps of `lanes` columns, then the
/// tail in falling powers of two. The threads of a team take neighbouring steps.
void forColumns(mlir::ImplicitLocOpBuilder &b, int64_t columns, const Team &team,
                llvm::function_ref<void(mlir::Value offset, int64_t width)> body);

/// Reduces f(offset, width), vectors of f32, over the columns to one f32 with `kind`; all threads
/// have it. `identity` is the value of no columns.
mlir::Value
reduceColumns(mlir::ImplicitLocOpBuilder &b, int64_t columns, const Team &team, Reduction kind,
              double identity,
              llvm::function_ref<mlir::Value(mlir::Value offset, int64_t width)> values);

/// value as a vector of `lanes`.
mlir::Value splat(mlir::ImplicitLocOpBuilder &b, mlir::Value value, int64_t lanes);

} // namespace moec::codegen
