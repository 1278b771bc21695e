// What the runtime's core asks of a machine: memory, copies, and running a
// bound program. One implementation a folder (cpu/).
#pragma once

#include "runtime/bundle/BundleFile.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace moec::rt {

/// Run-time sizes in the order of the kernel ABI: 1, tokens, sequences, output
/// rows, pages per sequence.
using Dims = std::array<int64_t, 5>;

/// A launch whose arguments have become device addresses.
struct BoundLaunch {
  uint32_t kernel;
  const fb::Grid *grid;
  std::vector<void *> args;
};

/// A program bound to one session's buffers. The grids stay in the bundle.
struct BoundProgram {
  const fb::Program *program = nullptr;
  std::vector<BoundLaunch> launches;
};

class Device {
public:
  virtual ~Device() = default;

  /// One line for people: what it is and how many threads it uses.
  virtual std::string describe() const = 0;

  /// Refuses a bundle for another machine (ErrorKind::Target), then makes its
  /// kernels callable. Once per device.
  virtual void load(const BundleFile &bundle) = 0;

  /// Zeroed memory, aligned to 4096 bytes. Throws Error(Capacity).
  virtual void *allocate(size_t bytes, const std::string &purpose) = 0;
  virtual void release(void *memory, size_t bytes) = 0;

  /// Makes mapped weight bytes readable by kernels. The host uses them in
  /// place; `bytes` must outlive the device.
  virtual const void *adoptWeight(std::span<const uint8_t> bytes) = 0;

  /// Fills a weight as its FillKind says; the same seed gives the same bytes
  /// on every device (SyntheticFill.h).
  virtual void fillWeight(const fb::Weight &weight, uint64_t seed, void *memory) = 0;

  virtual void copyIn(void *to, const void *from, size_t bytes) = 0;
  virtual void copyOut(void *to, const void *from, size_t bytes) = 0;
  virtual void fillBytes(void *memory, int byte, size_t bytes) = 0;

  /// Runs all launches in order and returns when their results are visible.
  /// `seconds`, when given, receives the time of each launch.
  virtual void run(const BoundProgram &program, const Dims &dims,
                   std::vector<double> *seconds = nullptr) = 0;

  /// Read bandwidth in bytes/s: all threads stream `bytes` bytes, best of a
  /// few passes.
  virtual double measureReadBandwidth(size_t bytes) = 0;
};

/// Device memory that frees itself.
class DeviceBuffer {
public:
  DeviceBuffer() = default;
  DeviceBuffer(Device &device, size_t bytes, const std::string &purpose)
      : device(&device), base(device.allocate(bytes, purpose)), size(bytes) {}
  DeviceBuffer(DeviceBuffer &&other) noexcept { swap(other); }
  DeviceBuffer &operator=(DeviceBuffer &&other) noexcept {
    swap(other);
    return *this;
  }
  ~DeviceBuffer() {
    if (base)
      device->release(base, size);
  }
  void *data() const { return base; }
  size_t bytes() const { return size; }

private:
  void swap(DeviceBuffer &other) noexcept {
    std::swap(device, other.device);
    std::swap(base, other.base);
    std::swap(size, other.size);
  }
  Device *device = nullptr;
  void *base = nullptr;
  size_t size = 0;
};

/// The host. `threads` = 0: one per CPU this process may run on.
std::unique_ptr<Device> createCpuDevice(unsigned threads = 0);

} // namespace moec::rt
