// From a kernel's body to what the products of this folder compute, or why they cannot.
#pragma once

#include "codegen/kernels/matmul/MatrixSchedule.h"
#include "codegen/target/nvidia/hopper/BlockScaledMatmul.h"
#include "codegen/target/nvidia/hopper/DenseProblem.h"
#include "dialects/kern/KernDialect.h"

#include <optional>
#include <string>

namespace moec::hopper {

struct MatmulKernel {
  BlockScaledProblem problem;  // of bf16: without scales, codes being values
  bool isDense = false;        // x and weight are bf16
  std::optional<RowNorm> norm; // of dense ones: of x, before the product
  EpilogueSpec epilogue;
  unsigned numSlots = 0;
};

/// Fills `into` from the body of `kernel`, a moe.linear or moe.grouped_linear of bf16 by bf16 or of
/// E4M3 [1, 128] by E4M3 [128, 128], after a moe.rms_norm of few rows of bf16 or not, followed by
///   moe.slice, moe.slice | moe.deinterleave, then moe.swiglu   of gates and what they gate,
///   moe.add                                                    of arguments,
///   moe.quantize [1, 128]                                      of the last value,
/// or says why it is not such a kernel.
std::optional<std::string> readMatmul(kern::KernelOp kernel, MatmulKernel &into);

/// Why dense products do not normalise at most `rows` rows as `norm` does, or nothing.
std::optional<std::string> refuseNorm(moe::RmsNormOp norm, uint64_t rows);

/// Rows that a product is laid out for when no program says how many there are.
constexpr int64_t kManyRows = 4096;

using codegen::getMostRows;

} // namespace moec::hopper
