#include "runtime/device/cuda/CudaGpu.h"

namespace moec::rt::cuda {

Gpu::Gpu(unsigned index) : index(index) {
  int count = 0;
  check(api().cuDeviceGetCount(&count), "cannot count the GPUs");
  if (index >= unsigned(count))
    fail(ErrorKind::Target, "there is no GPU ", index, ": the driver shows ", count,
         "; give --device a smaller number or change CUDA_VISIBLE_DEVICES");
  check(api().cuDeviceGet(&device, int(index)), "cannot open GPU ", index);
  check(api().cuDevicePrimaryCtxRetain(&context, device), "cannot open GPU ", index);
  makeCurrent();
  char text[256] = "";
  check(api().cuDeviceGetName(text, sizeof text, device), "cannot ask for the GPU's name");
  title = joined("device ", index, " (", text, ", sm_", architecture(), ")");
  check(api().cuStreamCreate(&stream, kStreamNonBlocking), "cannot open GPU ", index);
}

Gpu::~Gpu() {
  api().cuCtxSetCurrent(context);
  api().cuStreamDestroy(stream);
  api().cuDevicePrimaryCtxRelease(device);
}

uint64_t Gpu::freeBytes() const {
  size_t free = 0, total = 0;
  check(api().cuMemGetInfo(&free, &total), "cannot ask for the GPU's memory");
  return free;
}

int Gpu::attribute(int which) const {
  int value = 0;
  check(api().cuDeviceGetAttribute(&value, which, device), "cannot ask the GPU for its properties");
  return value;
}

int Gpu::driverVersion() const {
  int version = 0;
  check(api().cuDriverGetVersion(&version), "cannot ask for the driver's version");
  return version;
}

std::string versionText(int driverVersion) {
  return joined(driverVersion / 1000, ".", driverVersion % 1000 / 10);
}

} // namespace moec::rt::cuda
