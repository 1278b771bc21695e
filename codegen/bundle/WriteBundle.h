// A compiled plan, its machine code and its checkpoint become a bundle file.
#pragma once

#include "codegen/bundle/SerializePlan.h"
#include "frontend/quant/QuantScheme.h"

namespace moec::bundle {

enum class WeightMode {
  Copy,      // the checkpoint's weights, in the kernels' layout
  Synthetic, // filled from a seed when the bundle is loaded; rope tables are real
  None       // nothing: the bundle can be inspected, not run
};

/// What can be said before compiling: whether the checkpoint has the weights that
/// are to be copied, and whether `folder` can hold a bundle.
llvm::Error checkRequest(const frontend::Checkpoint &checkpoint, WeightMode weights,
                         llvm::StringRef folder);

struct BundleRequest {
  std::string folder;
  WeightMode weights = WeightMode::Copy;
  uint32_t maxBatch = 1;
  std::string compiler;
};

struct BundleResult {
  std::string path;
  uint64_t bytes;
};

/// Writes `request.folder`/rank-0.moeb. Everything that can be wrong with the
/// checkpoint's tensors but the values of scales is found before a byte is
/// written.
llvm::Expected<BundleResult> writeBundle(mlir::ModuleOp module, const KernelCode &code,
                                         const frontend::Checkpoint &checkpoint,
                                         const frontend::QuantScheme &scheme,
                                         const BundleRequest &request);

} // namespace moec::bundle
