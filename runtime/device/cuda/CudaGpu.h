// One GPU: its context, its one stream, and what the runtime knows about it.
#pragma once

#include "runtime/device/cuda/CudaApi.h"

#include <string>

namespace moec::rt::cuda {

class Gpu {
public:
  /// GPU `index` of those that the driver shows. Throws Error(Target).
  explicit Gpu(unsigned index);
  ~Gpu();
  Gpu(const Gpu &) = delete;
  Gpu &operator=(const Gpu &) = delete;

  /// Before any call from a thread that may not have used this GPU yet.
  void makeCurrent() const { check(api().cuCtxSetCurrent(context), "cannot use the GPU"); }
  Context handle() const { return context; }
  /// Waits for all work of the stream. `what` begins the message of a failure.
  void wait(const std::string &what) const {
    check(api().cuStreamSynchronize(stream), what, " failed");
  }
  uint64_t freeBytes() const;
  int attribute(int which) const;

  /// Compute capability as in "sm_90": 90.
  int architecture() const { return 10 * attribute(kComputeMajor) + attribute(kComputeMinor); }
  /// Version of CUDA that the driver supports, 1000 * major + 10 * minor.
  int driverVersion() const;
  /// "device 0 (NVIDIA H100, sm_90)"
  const std::string &name() const { return title; }

  const unsigned index;
  Stream stream = nullptr;

private:
  DeviceHandle device = 0;
  Context context = nullptr;
  std::string title; // kept: a GPU that failed answers nothing
};

/// "12.4"
std::string versionText(int driverVersion);

} // namespace moec::rt::cuda
