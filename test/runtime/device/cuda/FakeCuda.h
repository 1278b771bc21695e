// A CUDA driver in host memory: a shared library libcuda.so.1 that has the
// entry points the runtime uses. Device memory is host memory, work waits in
// the stream until somebody waits for it, and the toy model's kernels run as
// they do on the host. It can be told to lack things and to fail:
//
//   devices=0         no GPU                     init=100       cuInit fails
//   arch=80           compute capability 8.0     driver=12020   supports CUDA 12.2
//   memory=1000000    bytes of GPU memory        lacks=cuMemAlloc
//   fail=cuLaunchKernelEx:719      every call returns 719
//   fail=cuModuleLoadDataEx:209:1  the first call does
//   crash=toy_head:700             what waits for that kernel gets 700 from then on
//
// separated by commas, in the environment variable FAKE_CUDA or through
// fakeCudaReset().
#pragma once

#include "runtime/device/cuda/CudaApi.h"

#include <map>
#include <string>
#include <vector>

namespace moec::rt::test {

struct FakeLaunch {
  std::string kernel;
  unsigned blocks, threads, sharedBytes, cluster;
  bool early, inGraph;
};

struct FakeMap {
  int dataType;
  void *address;
  std::vector<uint64_t> sizes, strides;
  std::vector<uint32_t> box;
  int swizzle, l2Promotion;
};

/// What the driver saw.
struct FakeLog {
  std::map<std::string, int> calls; // of each entry point
  std::vector<FakeLaunch> launches; // that ran
  std::vector<FakeMap> maps;
  std::vector<std::string> images; // that were loaded: their first letters
  std::vector<size_t> copies;      // bytes of copies to the device, as they ran
};

} // namespace moec::rt::test

extern "C" {
/// Starts anew with a specification such as "arch=80,driver=12020".
void fakeCudaReset(const char *specification);
const moec::rt::test::FakeLog *fakeCudaLog();
/// Bytes of device memory in use.
size_t fakeCudaUsed();
}
