// The weights of an open checkpoint, for the reference interpreter.
#pragma once

#include "dialects/reference/Weights.h"
#include "frontend/quant/QuantScheme.h"

namespace moec::interpret {

class CheckpointWeights : public reference::WeightProvider {
public:
  /// Fails when the checkpoint has no weights or its quantization is unknown.
  /// `checkpoint` must outlive the provider.
  static llvm::Expected<std::unique_ptr<CheckpointWeights>>
  create(const frontend::Checkpoint &checkpoint);

  llvm::Expected<reference::LeafData> load(const moe::Leaf &leaf) override;

private:
  CheckpointWeights(const frontend::Checkpoint &checkpoint,
                    std::unique_ptr<frontend::QuantScheme> scheme)
      : checkpoint(checkpoint), scheme(std::move(scheme)) {}

  const frontend::Checkpoint &checkpoint;
  std::unique_ptr<frontend::QuantScheme> scheme;
};

/// The elements of a stored tensor of F32, BF16, F16 or F8_E4M3.
llvm::Expected<std::vector<double>> decode(const frontend::TensorRef &tensor);

} // namespace moec::interpret
