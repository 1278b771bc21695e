// Brings a bundle's weights to the GPU: one allocation, filled by copies from
// the mapped file through two pinned buffers in turn (host threads copy into
// one while the other is on its way), and by kernels for synthetic weights.
#pragma once

#include "runtime/bundle/BundleFile.h"
#include "runtime/device/Device.h"
#include "runtime/device/cuda/BuiltinKernels.h"

#include <vector>

namespace moec::rt::cuda {

/// Where the weights lie in their allocation.
struct WeightLayout {
  explicit WeightLayout(const BundleFile &bundle);
  static constexpr uint64_t kAlignment = 256;
  std::vector<uint64_t> offsets;
  uint64_t bytes = 0, copied = 0, filled = 0; // of the allocation; of the weights
};

/// Writes all weights to `base`; returns when they are there. `kernels` may be
/// null when no weight is filled. `threads`: of the host, 0: as many as help.
void uploadWeights(const Gpu &gpu, const BuiltinKernels *kernels, const BundleFile &bundle,
                   const WeightLayout &layout, DevicePtr base, unsigned threads,
                   const LoadProgress &progress);

} // namespace moec::rt::cuda
