// moe.sample: one tile a row.
#pragma once

#include "codegen/kernels/sampling/TeamSums.h"
#include "dialects/moe/MoeSamplingOps.h"

namespace moec::codegen {

/// Chooses the token of one row. Chunks come first: the largest of each bounds what can be chosen,
/// their sums lead to the chunk that a draw from all ends in. With top_k or top_p, all that can be
/// kept is gathered in the workspace; what does not fit there (flat rows) is looked for in the row
/// itself. There is no sorting: a place in the order is a threshold of logits, found by bisection.
class ChooseToken {
public:
  ChooseToken(TileFunction &tile, moe::SampleOp op);
  void emit();

  /// Candidates that the workspace holds.
  static constexpr int64_t kCapacity = 4096;

private:
  using Test = llvm::function_ref<mlir::Value(mlir::Value logit, mlir::Value id)>;
  /// What is kept: all above the logit whose order is `last`, and of those that equal it so many
  /// that the weights add up to `mass`.
  struct Kept {
    mlir::Value last, mass;
  };

  void loadRow();
  mlir::Value findLargestId();
  mlir::Value drawFromAll();
  mlir::Value drawFromKept();
  mlir::Value findBound();
  void collect(mlir::Value bound);
  Kept keepTopK(mlir::Value bound);
  Kept keepTopP(Kept kept);
  mlir::Value findNth(mlir::Value last, mlir::Value n);
  mlir::Value findLast(mlir::Value low, mlir::Value high,
                       llvm::function_ref<mlir::Value(mlir::Value value)> holds);

  /// Of the candidates for which `test` holds: their number, or the sum of their weights.
  mlir::Value count(Test test) { return sum(test, /*weigh=*/false); }
  mlir::Value weigh(Test test) { return sum(test, /*weigh=*/true); }
  mlir::Value sum(Test test, bool weigh);
  mlir::Value sumFrom(mlir::Value order, bool weigh);
  mlir::Value sumAbove(mlir::Value order, bool weigh);
  mlir::Value getWeight(mlir::Value logit);
  mlir::Value loadLogit(mlir::Value column);
  mlir::Value loadMass(mlir::Value chunk);
  mlir::Value loadMaximum(mlir::Value chunk);
  mlir::Value loadSampling(int64_t column);

  TileFunction &tile;
  mlir::ImplicitLocOpBuilder &b;
  Team team;
  TeamSums sums;
  Buffer logits, maxima, masses, sampling;
  int64_t columns, chunk, chunks;
  mlir::Value keptLogits, keptIds;             // memref<kCapacity>, f32 and i32
  mlir::Value cursor;                          // memref<1xi32>
  mlir::Value row, factor, topK, topP, random; // index, f32, i64 x 3
  mlir::Value largest, largestChunk;           // f32, index
  mlir::Value end;                             // the order behind that of the largest
  mlir::Value isGathered, numGathered;         // i1; index
};

} // namespace moec::codegen
