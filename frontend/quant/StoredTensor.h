// Checks that schemes share.
#pragma once

#include "frontend/quant/QuantScheme.h"

namespace moec::frontend {

/// The tensor `name`, or an error when it is missing or not of `shape`.
llvm::Expected<TensorRef> getOfShape(const Checkpoint &checkpoint, llvm::StringRef name,
                                     llvm::ArrayRef<int64_t> shape);

/// A weight stored as it is: BF16, F16 or F32, with no scale beside it.
llvm::Expected<WeightSource> resolvePlain(const Checkpoint &checkpoint,
                                          const WeightRequest &request, DType assumed);

/// Weights stored as they are.
std::unique_ptr<QuantScheme> makePlainScheme(DType assumed);

/// One line a scheme: reads its part of `quantization_config` (whose
/// quant_method is already read).
std::unique_ptr<QuantScheme> readFp8Block128(ConfigReader &config, DType assumed);

} // namespace moec::frontend
