// Runs of tokens of one sequence, which share what is fetched of its context.
#pragma once

#include "codegen/kernels/TileFunction.h"

namespace moec::codegen {

class TokenRuns {
public:
  /// Of the kernel's arguments `positions` and `sequences`.
  TokenRuns(TileFunction &tile, mlir::Value positions, mlir::Value sequences);

  /// Calls `body(begin, end, context)` for each run of tokens [begin, end) of one sequence that
  /// follow each other in [first, last), of which there is one at least. `context`: the most
  /// positions that one of them attends to.
  using Body = llvm::function_ref<void(mlir::Value begin, mlir::Value end, mlir::Value context)>;
  void forEach(mlir::Value first, mlir::Value last, Body body);

  mlir::Value loadSequence(mlir::Value token);
  /// How many positions `token` attends to.
  mlir::Value loadContext(mlir::Value token);
  /// How many positions of [position, position + count) `token` attends to.
  mlir::Value countSeen(mlir::Value token, mlir::Value position, mlir::Value count);

private:
  mlir::ImplicitLocOpBuilder &b;
  mlir::Value positions, sequences;
};

} // namespace moec::codegen
