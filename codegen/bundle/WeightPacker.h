// Copies a weight's pieces (dialects/moe/Recipe.h) out of the mapped checkpoint
// into a segment of the bundle, a few MiB at a time, and gives the pages back
// behind itself: the resident size does not depend on the checkpoint's.
//
// What is checked: every checkpoint tensor has the type and shape that the
// recipe was made for, and every scale is finite and not negative (zero is
// allowed: a block of zeros). Codes and values are copied bit for bit, NaN and
// infinities too; what they mean is up to the kernels.
#pragma once

#include "codegen/bundle/BundleWriter.h"
#include "codegen/bundle/ProgressBar.h"
#include "dialects/moe/Recipe.h"
#include "dialects/plan/PlanDialect.h"
#include "frontend/quant/QuantScheme.h"

namespace moec::bundle {

class WeightPacker {
public:
  /// Both must outlive the packer.
  WeightPacker(const frontend::Checkpoint &checkpoint, const frontend::QuantScheme &scheme)
      : checkpoint(checkpoint), scheme(scheme) {}

  /// Checks the tensors that `source` is packed from, without reading them.
  llvm::Error check(moe::WeightOp source) const;

  /// Writes the buffer `part` of `source` as a segment; returns its index.
  llvm::Expected<uint32_t> pack(moe::WeightOp source, plan::Part part, BundleWriter &writer,
                                ProgressBar &progress) const;

private:
  llvm::Expected<frontend::WeightSource> resolve(const moe::Leaf &leaf) const;
  llvm::Error copy(const frontend::TensorRef &tensor, const moe::Piece &piece, BundleWriter &writer,
                   ProgressBar &progress) const;

  const frontend::Checkpoint &checkpoint;
  const frontend::QuantScheme &scheme;
};

/// The packed bytes of a weight that is computed from its recipe alone.
std::vector<uint8_t> computeWeight(moe::WeightOp source);

/// Bytes of a buffer of static shape.
uint64_t getBufferBytes(mlir::RankedTensorType type);

} // namespace moec::bundle
