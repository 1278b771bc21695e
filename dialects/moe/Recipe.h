// What a weight's recipe means as bytes: which elements of which checkpoint
// tensors follow each other in the packed buffer. The streaming packer and the
// interpreter both build weights from this list, so packing is interpreted too.
#pragma once

#include "dialects/moe/MoeDialect.h"

#include "llvm/Support/Error.h"

namespace moec::moe {

/// A run of neighbouring elements (row-major) of one checkpoint tensor.
struct Piece {
  std::string tensor; // checkpoint name of the weight, for scales too
  bool scales;        // the run lies in the scales that belong to `tensor`
  int64_t firstElement;
  int64_t numElements;
};

/// A checkpoint tensor that a recipe reads, and the type that it must have:
/// a tensor, or a quantized tensor, which has scales beside its codes.
struct Leaf {
  std::string tensor;
  mlir::Type type;
};

/// True when the weight is computed from its recipe alone (a rope table).
bool isComputed(WeightOp weight);

/// Fails when the recipe does not fit the weight's type; the weight's verifier calls this.
llvm::Error checkRecipe(WeightOp weight);

/// The runs whose concatenation is the weight's buffer of codes (or values), or
/// with `scales` its buffer of scales. Fails when the recipe does not fit the
/// weight's type, or is computed.
llvm::Expected<llvm::SmallVector<Piece>> listPieces(WeightOp weight, bool scales);

/// The checkpoint tensors of the recipe, in the order of first use; none when
/// it is computed. A tensor that is used twice is listed twice.
llvm::Expected<llvm::SmallVector<Leaf>> listLeaves(WeightOp weight);

/// Radians per position of each of the dim/2 pairs.
llvm::SmallVector<double> computeRopeFrequencies(RopeAttr rope);

/// The table that `#moe.rope_table` describes, [positions, dim] row-major: row
/// p holds dim/2 cosines, then dim/2 sines. Computed in double, rounded once.
std::vector<float> computeRopeTable(RopeAttr rope, int64_t positions);

} // namespace moec::moe
