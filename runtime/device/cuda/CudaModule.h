// The code of a CUDA bundle, loaded: which images the GPU can run, and one
// function per kernel, ready to be launched.
#pragma once

#include "runtime/bundle/BundleFile.h"
#include "runtime/device/cuda/CudaGpu.h"

#include <map>
#include <vector>

namespace moec::rt::cuda {

struct KernelCode {
  Function function = nullptr;
  const fb::Kernel *info = nullptr;
};

class CudaModule {
public:
  /// Throws Error(Target) when the GPU or the driver cannot run the bundle's
  /// code, Error(Bundle) when the code lacks a kernel.
  CudaModule(const BundleFile &bundle, const Gpu &gpu);
  ~CudaModule();
  CudaModule(const CudaModule &) = delete;
  CudaModule &operator=(const CudaModule &) = delete;

  const KernelCode &kernel(uint32_t index) const { return kernels[index]; }

private:
  Module image(uint32_t index);
  Module loadImage(uint32_t index, std::string &complaints);
  void prepare(const fb::Kernel &info);
  void checkResidence(const KernelCode &code, const std::string &what) const;

  const BundleFile &bundle;
  const Gpu &gpu;
  std::map<uint32_t, Module> modules; // by the image that a kernel names
  std::vector<KernelCode> kernels;
};

/// Throws Error(Target) unless a GPU of compute capability `architecture` (90)
/// can run an image for `target`. `gpuName` is for the message.
void checkCudaTarget(const fb::Target &target, int architecture, const std::string &bundle,
                     const std::string &gpuName);

} // namespace moec::rt::cuda
