// The weight of a token, as dialects/moe/README.md defines it.
#pragma once

#include "codegen/kernels/Vectors.h"

namespace moec::codegen {

/// Weights, vector<N x i32>, of `logits`, vector<N x f32>; `largest` and `factor` are f32. The same
/// on every machine: each step is rounded by itself.
mlir::Value emitWeights(mlir::ImplicitLocOpBuilder &b, mlir::Value logits, mlir::Value largest,
                        mlir::Value factor);

/// The same of one f32, as i64.
mlir::Value emitWeight(mlir::ImplicitLocOpBuilder &b, mlir::Value logit, mlir::Value largest,
                       mlir::Value factor);

/// Masses are stored in two halves: below and above this bit.
inline constexpr int64_t kMassBits = 20;

/// The columns of sampling parameters, [R, 4] i32.
enum SamplingColumn { kFactor, kTopK, kTopP, kRandom };

} // namespace moec::codegen
