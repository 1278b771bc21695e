// The kernels in builtin.ptx, whose text is part of this library.
#pragma once

#include "runtime/device/SyntheticFill.h"
#include "runtime/device/cuda/CudaGpu.h"

namespace moec::rt::cuda {

class BuiltinKernels {
public:
  explicit BuiltinKernels(const Gpu &gpu);
  ~BuiltinKernels();
  BuiltinKernels(const BuiltinKernels &) = delete;
  BuiltinKernels &operator=(const BuiltinKernels &) = delete;

  /// Writes `elements` elements; `codes` are the table's in device memory. Whole
  /// words are written: `out` must have room up to the next multiple of 32 bytes.
  void fill(DevicePtr out, uint64_t elements, const FillTable &table, DevicePtr codes,
            uint64_t key) const;
  /// Reads `bytes` bytes, all but a rest of less than readUnit(); `sink` is 4
  /// bytes.
  void read(DevicePtr data, uint64_t bytes, DevicePtr sink) const;
  uint64_t readUnit() const;

private:
  Function find(const char *name) const;
  void launch(Function function, unsigned blocks, void **params) const;

  const Gpu &gpu;
  Module module = nullptr;
  Function sums2, sums4, bytes1, bytes4, reading;
  unsigned blocks = 0; // enough to fill the GPU
};

} // namespace moec::rt::cuda
