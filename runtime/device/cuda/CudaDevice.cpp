// An NVIDIA GPU as a device. Everything goes through one stream, in order;
// sessions on several threads take turns under one mutex.
#include "runtime/bundle/Error.h"
#include "runtime/device/Device.h"
#include "runtime/device/cuda/BuiltinKernels.h"
#include "runtime/device/cuda/CudaProgram.h"
#include "runtime/device/cuda/CudaWeights.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace moec::rt {
namespace cuda {
namespace {

using Clock = std::chrono::steady_clock;
double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string gigabytes(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, bytes < 10'000'000 ? "%.4f" : "%.2f", double(bytes) / 1e9);
  return text;
}

class CudaDevice final : public Device {
public:
  explicit CudaDevice(const DeviceOptions &options) : options(options), gpu(options.index) {}
  ~CudaDevice() override {
    api().cuCtxSetCurrent(gpu.handle());
    if (weights)
      api().cuMemFree(weights);
  }

  std::string describe() const override {
    return joined(gpu.name(), ", ", gpu.attribute(kMultiprocessors),
                  " multiprocessors, driver for CUDA ", versionText(gpu.driverVersion()));
  }

  void load(const BundleFile &bundle) override {
    auto lock = use();
    module = std::make_unique<CudaModule>(bundle, gpu);
  }

  uint64_t weightMemory(const BundleFile &bundle) const override {
    return WeightLayout(bundle).bytes;
  }

  std::vector<void *> loadWeights(const BundleFile &bundle, const LoadProgress &progress) override {
    auto lock = use();
    auto start = Clock::now();
    WeightLayout layout(bundle);
    if (layout.bytes)
      check(api().cuMemAlloc(&weights, layout.bytes), "no GPU memory for ", gigabytes(layout.bytes),
            " GB of weights");
    uploadWeights(gpu, layout.filled ? &builtin() : nullptr, bundle, layout, weights,
                  options.threads, progress);
    loadStats.copiedBytes = layout.copied;
    loadStats.filledBytes = layout.filled;
    loadStats.weightSeconds = secondsSince(start);
    std::vector<void *> addresses;
    for (uint64_t offset : layout.offsets)
      addresses.push_back(pointerTo(weights + offset));
    return addresses;
  }

  void checkRoom(std::span<const MemoryNeed> needs) const override {
    uint64_t total = 0, free = freeMemory();
    std::string parts;
    for (const MemoryNeed &need : needs) {
      total += need.bytes;
      if (need.bytes)
        parts += joined(parts.empty() ? "" : ", ", need.what, " ", gigabytes(need.bytes));
    }
    if (total > free)
      fail(ErrorKind::Capacity, "the model needs ", gigabytes(total), " GB of GPU memory (", parts,
           "), ", gpu.name(), " has ", gigabytes(free),
           " GB free; use a smaller context or batch, or a larger GPU");
  }

  // Seen on GPUs of today: what a graph takes for a kernel with its parameters.
  uint64_t launchMemory() const override { return 4096; }

  uint64_t freeMemory() const override {
    gpu.makeCurrent();
    return gpu.freeBytes();
  }

  void *allocate(size_t bytes, const std::string &purpose) override {
    auto lock = use();
    DevicePtr memory = 0;
    bytes = std::max<size_t>(bytes, 1);
    if (api().cuMemAlloc(&memory, bytes) != kSuccess)
      fail(ErrorKind::Capacity, "no GPU memory for ", gigabytes(bytes), " GB of ", purpose, ", ",
           gpu.name(), " has ", gigabytes(gpu.freeBytes()), " GB free");
    check(api().cuMemsetD8Async(memory, 0, bytes, gpu.stream), "cannot clear ", purpose);
    return pointerTo(memory);
  }
  void release(void *memory, size_t) override {
    std::lock_guard lock(mutex);
    api().cuCtxSetCurrent(gpu.handle());
    api().cuMemFree(addressOf(memory)); // waits for work that uses it
  }

  void *allocateHost(size_t bytes, const std::string &purpose) override {
    auto lock = use();
    void *memory = nullptr;
    check(api().cuMemHostAlloc(&memory, std::max<size_t>(bytes, 1), 0),
          "no page-locked host memory for ", purpose);
    return memory;
  }
  void releaseHost(void *memory, size_t) override {
    std::lock_guard lock(mutex);
    api().cuCtxSetCurrent(gpu.handle());
    api().cuMemFreeHost(memory);
  }

  void copyIn(void *to, const void *from, size_t bytes) override {
    auto lock = use();
    check(api().cuMemcpyHtoDAsync(addressOf(to), from, bytes, gpu.stream),
          "cannot copy to the GPU");
    waitForPrograms();
  }
  void copyOut(void *to, const void *from, size_t bytes) override {
    auto lock = use();
    check(api().cuMemcpyDtoHAsync(to, addressOf(from), bytes, gpu.stream),
          "cannot copy from the GPU");
    waitForPrograms();
  }
  void fillBytes(void *memory, int byte, size_t bytes) override {
    auto lock = use();
    check(api().cuMemsetD8Async(addressOf(memory), uint8_t(byte), bytes, gpu.stream),
          "cannot fill GPU memory");
  }

  std::unique_ptr<BoundProgram> bind(const fb::Program &program,
                                     const ProgramBuffers &buffers) override {
    auto lock = use();
    gpu.wait("preparing a session");
    auto start = Clock::now();
    uint64_t before = gpu.freeBytes();
    auto bound = std::make_unique<CudaProgram>(gpu, mutex, *module, program, buffers,
                                               options.launchByLaunch);
    gpu.wait("recording a program");
    uint64_t after = gpu.freeBytes();
    if (!options.launchByLaunch && program.launches()->size()) {
      ++loadStats.graphs;
      loadStats.graphLaunches += program.launches()->size();
      loadStats.graphBytes += before > after ? before - after : 0;
      loadStats.graphSeconds += secondsSince(start);
    }
    return bound;
  }

  double measureReadBandwidth(size_t bytes) override {
    constexpr int kPasses = 6; // the first one warms up
    auto lock = use();
    uint64_t unit = builtin().readUnit();
    bytes = std::max<uint64_t>(bytes / unit, 1) * unit;
    DeviceMemory data(bytes, "the bandwidth measurement"), sink(4, "the bandwidth measurement");
    check(api().cuMemsetD8Async(data.get(), 1, bytes, gpu.stream), "cannot fill GPU memory");
    EventHandle begin(kEventDefault), end(kEventDefault);
    double best = 0;
    for (int pass = 0; pass < kPasses; ++pass) {
      check(api().cuEventRecord(begin.get(), gpu.stream), "cannot time a read");
      builtin().read(data.get(), bytes, sink.get());
      check(api().cuEventRecord(end.get(), gpu.stream), "cannot time a read");
      gpu.wait("reading GPU memory");
      float milliseconds = 0;
      check(api().cuEventElapsedTime(&milliseconds, begin.get(), end.get()), "cannot time a read");
      best = std::max(best, double(bytes) / std::max(milliseconds * 1e-3, 1e-9));
    }
    return best;
  }

  LoadStats stats() const override { return loadStats; }

private:
  std::unique_lock<std::mutex> use() const {
    std::unique_lock lock(mutex);
    gpu.makeCurrent();
    return lock;
  }

  /// Loaded when they are first needed: not every driver can compile PTX.
  const BuiltinKernels &builtin() {
    if (!kernels)
      kernels.emplace(gpu);
    return *kernels;
  }

  /// A kernel's failure shows at the next wait, and then nothing works.
  void waitForPrograms() const {
    Result result = api().cuStreamSynchronize(gpu.stream);
    if (result != kSuccess)
      fail(ErrorKind::Internal, "a program failed on ", gpu.name(), ": ", errorText(result),
           options.launchByLaunch ? ""
                                  : "; run again with --launch-by-launch to learn which kernel");
  }

  const DeviceOptions options;
  mutable std::mutex mutex;
  Gpu gpu;
  std::optional<BuiltinKernels> kernels;
  std::unique_ptr<CudaModule> module;
  DevicePtr weights = 0;
  LoadStats loadStats;
};

} // namespace
} // namespace cuda

std::unique_ptr<Device> createCudaDevice(const DeviceOptions &options) {
  return std::make_unique<cuda::CudaDevice>(options);
}

} // namespace moec::rt
