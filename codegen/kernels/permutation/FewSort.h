// The order of no more pairs than a subgroup has threads. Every thread learns all experts by
// shuffles: a pair's slot is how many pairs come before it, an expert's first slot how many have a
// lower expert. Nothing is counted in memory and nobody waits.
#pragma once

#include "codegen/kernels/TileFunction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace moec::codegen {

/// Results that the kernel does not yield are null.
struct FewSort {
  mlir::ImplicitLocOpBuilder &b;
  const Team &team;
  Buffer ids, rows, slots, offsets;
  int64_t topK, experts;

  /// Of the first `numPairs` (index) pairs, all of the ids, in one tile.
  void emit(mlir::Value numPairs) const;

private:
  mlir::Value number(int64_t value) const;
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value x, mlir::Value y) const;
  mlir::Value addIf(mlir::Value sum, mlir::Value condition) const;
  mlir::Value loadExpert(mlir::Value lane, mlir::Value isPair) const;
};

} // namespace moec::codegen
