#include "runtime/device/cuda/CudaApi.h"

#include <dlfcn.h>

namespace moec::rt::cuda {
namespace {

constexpr const char *kLibrary = "libcuda.so.1";
/// The version whose ABI CudaApi.h declares.
constexpr int kAbiVersion = 12000;

using GetProcAddress = Result (*)(const char *symbol, void **function, int version, uint64_t flags,
                                  int *status);

Api openDriver() {
  void *library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    fail(ErrorKind::Target,
         "the bundle needs an NVIDIA GPU, but its driver does not open: ", ::dlerror(),
         "; install the driver, or compile the bundle with --target cpu");
  auto getProcAddress = reinterpret_cast<GetProcAddress>(::dlsym(library, "cuGetProcAddress_v2"));
  if (!getProcAddress)
    fail(ErrorKind::Target, "the NVIDIA driver in ", kLibrary,
         " is older than CUDA 12.0, which this runtime needs; install a newer driver");
  Api api;
  auto find = [&]<typename F>(const char *name, F &function) {
    void *address = nullptr;
    int status = 0;
    if (getProcAddress(name, &address, kAbiVersion, 0, &status) != kSuccess || !address)
      fail(ErrorKind::Target, "the NVIDIA driver in ", kLibrary, " lacks ", name,
           "; install a driver for CUDA 12.0 or newer");
    function = reinterpret_cast<F>(address);
  };
#define MOEC_CUDA_FIND(name, ...) find(#name, api.name);
  MOEC_CUDA_ENTRY_POINTS(MOEC_CUDA_FIND)
#undef MOEC_CUDA_FIND
  Result result = api.cuInit(0);
  if (result != kSuccess) {
    const char *text = nullptr;
    api.cuGetErrorString(result, &text);
    fail(ErrorKind::Target, "the NVIDIA driver finds no usable GPU: CUDA error ", result, " (",
         text ? text : "unknown", "); compile the bundle with --target cpu to run without one");
  }
  return api;
}

} // namespace

const Api &api() {
  static const Api opened = openDriver(); // tried again after an exception
  return opened;
}

std::string errorText(Result result) {
  const char *text = nullptr;
  api().cuGetErrorString(result, &text);
  return joined("CUDA error ", result, " (", text ? text : "unknown", ")");
}

} // namespace moec::rt::cuda
