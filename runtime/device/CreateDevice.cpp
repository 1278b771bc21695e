#include "runtime/device/Device.h"

namespace moec::rt {

std::unique_ptr<Device> createDevice(const fb::Target &target, const DeviceOptions &options) {
  if (target.kind()->string_view() == "cuda")
    return createCudaDevice(options);
  return createCpuDevice(options); // refuses what is not for a CPU when it loads
}

} // namespace moec::rt
