// The query of one head for a block of tokens, from its projection to latent space:
//
//   q[t, i]      = sum over k of x[t, k] * projection[head * columns + i, k]
//   q[t, last..] = rotated by the token's position
//   latent[t, k] = sum over i of q[t, x_offset + i] * up[head * rows + w_offset + i, k]
//
// The head's query stays in the workspace between the steps, and each head's rows of both weights
// are read once for all tokens of the block.
#pragma once

#include "codegen/kernels/head_matmul/RowSumTile.h"
#include "codegen/kernels/matmul/DotTile.h"

#include <optional>
#include <string>

namespace moec::codegen {

class QueryTile {
public:
  /// Why `op` cannot come before a transposed head_linear in its kernel, or nothing when it can.
  static std::optional<std::string> refuse(mlir::Operation *op);

  /// Whether the kernel of `product` has ops before it.
  static bool matches(moe::HeadLinearOp product);

  static Candidate getCandidate(kern::KernelOp kernel, const Machine &machine);
  static kern::GridAttr getGrid(kern::KernelOp kernel);
  static mlir::LogicalResult emit(TileFunction &tile, moe::HeadLinearOp product);

private:
  QueryTile(TileFunction &tile, moe::HeadLinearOp product, OperandReader x,
            OperandReader projection, OperandReader up);
  void emitQuery();
  void emitRope();
  void emitLatent();

  TileFunction &tile;
  mlir::ImplicitLocOpBuilder &b;
  moe::HeadLinearOp product;
  moe::RopeOp rope;
  OperandReader projection, up;
  int64_t lanes, headColumns; // `headColumns`: of a head's query
  DotTile dot;                // sums: the queries
  RowSumTile rowSum;
  mlir::Value head, token, numTokens;
};

} // namespace moec::codegen
