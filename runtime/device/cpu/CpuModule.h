// The machine code of a bundle, made callable.
#pragma once

#include "runtime/bundle/BundleFile.h"

#include <vector>

namespace moec::rt {

/// See docs/contracts.md.
using TileKernel = void (*)(void *const *args, const int64_t *dims, int64_t tile, void *workspace);

/// Loads every image through the dynamic linker, from memory: nothing is
/// written to a file system. Loading runs code of the bundle.
class CpuModule {
public:
  explicit CpuModule(const BundleFile &bundle);
  ~CpuModule();
  CpuModule(const CpuModule &) = delete;
  CpuModule &operator=(const CpuModule &) = delete;

  TileKernel kernel(uint32_t index) const { return kernels[index]; }
  /// Largest scratch that a kernel wants, in bytes per worker.
  uint64_t workspaceBytes() const { return workspace; }

private:
  void close();
  std::vector<void *> handles; // per image
  std::vector<TileKernel> kernels;
  uint64_t workspace = 0;
};

} // namespace moec::rt
