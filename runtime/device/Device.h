// What the runtime's core asks of a machine: memory, weights, and running
// programs. One implementation a folder (cpu/, cuda/).
#pragma once

#include "runtime/bundle/BundleFile.h"

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace moec::rt {

/// Run-time sizes in the order of the kernel ABI: 1, tokens, sequences, output
/// rows, pages per sequence.
using Dims = std::array<int64_t, 5>;

/// Memory from an address to the end of the buffer that it lies in.
struct BufferView {
  void *data = nullptr;
  uint64_t bytes = 0;
};

/// What a session's programs work on.
struct ProgramBuffers {
  /// The block that run() writes: Dims first, then the entry's inputs.
  BufferView inputs;
  /// Where an argument starts, its offset included.
  std::function<BufferView(const fb::Arg &)> view;
};

/// A program whose launches know their addresses. Goes before its device.
class BoundProgram {
public:
  explicit BoundProgram(const fb::Program &program) : program(program) {}
  virtual ~BoundProgram() = default;
  BoundProgram(const BoundProgram &) = delete;
  BoundProgram &operator=(const BoundProgram &) = delete;

  /// Copies `block` to the start of the inputs and runs all launches in order.
  /// May return before they are done: copyOut() waits, and a failure may show
  /// only there. `seconds`, when given, receives the time of each launch.
  virtual void run(std::span<const uint8_t> block, std::vector<double> *seconds = nullptr) = 0;

  const fb::Program &program;
};

/// A part of what is about to be allocated, for checkRoom().
struct MemoryNeed {
  std::string what; // "weights"
  uint64_t bytes;
};

/// What loading took so far.
struct LoadStats {
  uint64_t copiedBytes = 0, filledBytes = 0; // of weights
  double weightSeconds = 0;
  uint64_t graphs = 0, graphLaunches = 0, graphBytes = 0; // recorded programs
  double graphSeconds = 0;
};

/// Bytes of weights done, and of all.
using LoadProgress = std::function<void(uint64_t done, uint64_t total)>;

struct DeviceOptions {
  unsigned threads = 0;        // of the host; 0: one per CPU this process may run on
  unsigned index = 0;          // which GPU, of those that the driver shows
  bool launchByLaunch = false; // no graphs, wait after each launch: a failure names its kernel
};

class Device {
public:
  virtual ~Device() = default;

  /// One line for people: what it is and how it is used.
  virtual std::string describe() const = 0;

  /// Refuses a bundle for another machine (ErrorKind::Target), then makes its
  /// kernels callable. Once per device.
  virtual void load(const BundleFile &bundle) = 0;

  /// Device memory that loadWeights() will take.
  virtual uint64_t weightMemory(const BundleFile &bundle) const = 0;
  /// Puts the weights where kernels can read them: copied from the bundle (the
  /// host uses them in place) or filled as their FillKind says, the same bytes
  /// on every device (SyntheticFill.h). Addresses by index, good as long as
  /// bundle and device. Once per device.
  virtual std::vector<void *> loadWeights(const BundleFile &bundle,
                                          const LoadProgress &progress) = 0;

  /// Throws Error(Capacity), naming the parts, when they do not fit together
  /// into what is free. To be called before any of them is allocated.
  virtual void checkRoom(std::span<const MemoryNeed> needs) const = 0;
  /// About what a bound program takes beside its buffers, for each launch.
  virtual uint64_t launchMemory() const = 0;
  /// Memory that allocate() can still give, in bytes.
  virtual uint64_t freeMemory() const = 0;

  /// Zeroed memory, aligned to 4096 bytes on the host, 256 on a GPU. Throws
  /// Error(Capacity).
  virtual void *allocate(size_t bytes, const std::string &purpose) = 0;
  virtual void release(void *memory, size_t bytes) = 0;
  /// Host memory that copyOut() is fastest into.
  virtual void *allocateHost(size_t bytes, const std::string &purpose) = 0;
  virtual void releaseHost(void *memory, size_t bytes) = 0;

  /// In the order of the programs that run; return when the copy is done.
  virtual void copyIn(void *to, const void *from, size_t bytes) = 0;
  virtual void copyOut(void *to, const void *from, size_t bytes) = 0;
  virtual void fillBytes(void *memory, int byte, size_t bytes) = 0;

  /// Readies a program of the loaded bundle. The buffers must outlive it.
  virtual std::unique_ptr<BoundProgram> bind(const fb::Program &program,
                                             const ProgramBuffers &buffers) = 0;

  /// Read bandwidth in bytes/s: the whole device streams `bytes` bytes, best of
  /// a few passes.
  virtual double measureReadBandwidth(size_t bytes) = 0;

  virtual LoadStats stats() const = 0;
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
  BufferView view() const { return {base, size}; }

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

/// Host memory for results; grows, and forgets what it held when it does.
class HostBuffer {
public:
  explicit HostBuffer(Device &device) : device(device) {}
  HostBuffer(const HostBuffer &) = delete;
  HostBuffer &operator=(const HostBuffer &) = delete;
  ~HostBuffer() {
    if (base)
      device.releaseHost(base, size);
  }
  void reserve(size_t bytes, const std::string &purpose) {
    if (bytes <= size)
      return;
    void *larger = device.allocateHost(bytes, purpose);
    if (base)
      device.releaseHost(base, size);
    base = larger;
    size = bytes;
  }
  void *data() const { return base; }

private:
  Device &device;
  void *base = nullptr;
  size_t size = 0;
};

/// The host.
std::unique_ptr<Device> createCpuDevice(const DeviceOptions &options = {});
/// An NVIDIA GPU (cuda/CudaDevice.cpp); opens the driver. Throws Error(Target)
/// when there is none.
std::unique_ptr<Device> createCudaDevice(const DeviceOptions &options = {});

/// The device that a bundle is compiled for.
std::unique_ptr<Device> createDevice(const fb::Target &target, const DeviceOptions &options = {});

} // namespace moec::rt
