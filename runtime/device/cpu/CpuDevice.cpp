// The host as a device: weights are used where the bundle is mapped, a program
// is a loop over launches, a launch is a loop over tiles on the thread pool.
#include "runtime/bundle/Error.h"
#include "runtime/device/Device.h"
#include "runtime/device/SyntheticFill.h"
#include "runtime/device/cpu/CpuFeatures.h"
#include "runtime/device/cpu/CpuModule.h"
#include "runtime/device/cpu/HostMemory.h"
#include "runtime/device/cpu/ThreadPool.h"

#include <chrono>
#include <cstring>
#include <mutex>
#include <unistd.h>

namespace moec::rt {
namespace {

using Clock = std::chrono::steady_clock;
double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// What the pool's threads need to run a tile of one launch.
struct LaunchContext {
  TileKernel kernel;
  void *const *args;
  const int64_t *dims;
  uint8_t *workspace; // of worker 0
  size_t workspaceStride;
};

void runTile(void *context, int64_t tile, unsigned worker) {
  const auto &c = *static_cast<const LaunchContext *>(context);
  c.kernel(c.args, c.dims, tile, c.workspace + worker * c.workspaceStride);
}

/// Reads `bytes` bytes as fast as one thread can; the sum keeps the loads.
uint64_t streamRead(const uint8_t *data, size_t bytes) {
  typedef uint64_t Vec __attribute__((vector_size(16)));
  Vec sum[8] = {};
  for (size_t i = 0; i + 128 <= bytes; i += 128)
    for (int j = 0; j < 8; ++j)
      sum[j] += *reinterpret_cast<const Vec *>(data + i + 16 * j);
  Vec total = {};
  for (const Vec &s : sum)
    total += s;
  return total[0] + total[1];
}

class CpuDevice;

/// A launch whose arguments have become addresses.
struct CpuLaunch {
  TileKernel kernel;
  const fb::Grid *grid;
  std::vector<void *> args;
};

class CpuProgram final : public BoundProgram {
public:
  CpuProgram(CpuDevice &device, const fb::Program &program, const ProgramBuffers &buffers);
  void run(std::span<const uint8_t> block, std::vector<double> *seconds) override;

private:
  CpuDevice &device;
  void *inputs;
  std::vector<CpuLaunch> launches;
};

class CpuDevice final : public Device {
public:
  explicit CpuDevice(unsigned threads) : pool(threads) {}
  ~CpuDevice() override {
    for (auto [memory, bytes] : filled)
      rt::releaseHost(memory, bytes);
    if (workspace)
      rt::releaseHost(workspace, workspaceStride * pool.size());
  }

  std::string describe() const override {
    return joined("host CPU, ", pool.size(), pool.size() == 1 ? " thread" : " threads");
  }

  void load(const BundleFile &bundle) override {
    checkCpuTarget(*bundle.manifest().target(), bundle.path());
    module = std::make_unique<CpuModule>(bundle);
    // Whole pages, so that workers share no cache line.
    workspaceStride = (module->workspaceBytes() + 4096) / 4096 * 4096;
    workspace =
        static_cast<uint8_t *>(rt::allocateHost(workspaceStride * pool.size(), "kernel workspace"));
  }

  uint64_t weightMemory(const BundleFile &bundle) const override {
    uint64_t bytes = 0;
    for (const fb::Weight *w : *bundle.manifest().weights())
      bytes += w->segment() < 0 ? w->bytes() : 0;
    return bytes;
  }

  std::vector<void *> loadWeights(const BundleFile &bundle, const LoadProgress &progress) override {
    auto start = Clock::now();
    std::vector<void *> addresses;
    uint64_t total = weightMemory(bundle);
    for (const fb::Weight *w : *bundle.manifest().weights()) {
      if (w->segment() >= 0) {
        addresses.push_back(const_cast<uint8_t *>(bundle.segment(w->segment()).data()));
        continue;
      }
      void *memory =
          rt::allocateHost(w->bytes(), joined("synthetic weight '", w->name()->str(), "'"));
      filled.emplace_back(memory, w->bytes());
      fillWeight(*w, bundle.manifest().synthetic_seed(), memory);
      addresses.push_back(memory);
      loadStats.filledBytes += w->bytes();
      if (progress)
        progress(loadStats.filledBytes, total);
    }
    loadStats.weightSeconds = secondsSince(start);
    return addresses;
  }

  // Memory is given on first touch: what does not fit shows at allocation.
  void checkRoom(std::span<const MemoryNeed>) const override {}
  uint64_t launchMemory() const override { return 0; }
  uint64_t freeMemory() const override {
    return uint64_t(::sysconf(_SC_AVPHYS_PAGES)) * uint64_t(::sysconf(_SC_PAGESIZE));
  }

  void *allocate(size_t bytes, const std::string &purpose) override {
    return rt::allocateHost(bytes, purpose);
  }
  void release(void *memory, size_t bytes) override { rt::releaseHost(memory, bytes); }
  void *allocateHost(size_t bytes, const std::string &purpose) override {
    return rt::allocateHost(bytes, purpose);
  }
  void releaseHost(void *memory, size_t bytes) override { rt::releaseHost(memory, bytes); }

  void copyIn(void *to, const void *from, size_t bytes) override { std::memcpy(to, from, bytes); }
  void copyOut(void *to, const void *from, size_t bytes) override { std::memcpy(to, from, bytes); }
  void fillBytes(void *memory, int byte, size_t bytes) override {
    std::memset(memory, byte, bytes);
  }

  std::unique_ptr<BoundProgram> bind(const fb::Program &program,
                                     const ProgramBuffers &buffers) override {
    return std::make_unique<CpuProgram>(*this, program, buffers);
  }

  double measureReadBandwidth(size_t bytes) override {
    constexpr size_t kTile = 1 << 20;
    constexpr int kPasses = 5;
    bytes = std::max(bytes / kTile, size_t(1)) * kTile;
    DeviceBuffer buffer(*this, bytes, "the bandwidth measurement");
    auto *data = static_cast<uint8_t *>(buffer.data());
    std::lock_guard lock(mutex);
    pool.forEach(bytes / kTile,
                 [&](int64_t tile, unsigned) { std::memset(data + tile * kTile, 1, kTile); });
    std::atomic<uint64_t> sink{0};
    double best = 0;
    for (int pass = 0; pass < kPasses; ++pass) {
      auto start = Clock::now();
      pool.forEach(bytes / kTile,
                   [&](int64_t tile, unsigned) { sink += streamRead(data + tile * kTile, kTile); });
      best = std::max(best, double(bytes) / secondsSince(start));
    }
    return best;
  }

  LoadStats stats() const override { return loadStats; }

private:
  friend class CpuProgram;

  void fillWeight(const fb::Weight &weight, uint64_t seed, void *memory) {
    constexpr uint64_t kBlock = 1 << 16; // elements
    static_assert(kBlock % kFillUnit == 0);
    uint64_t elements = weight.bytes() / elementSize(weight.dtype());
    uint64_t key = fillKey(weight.name()->string_view(), seed);
    FillTable table(weight.dtype(), weight.fill(), weight.fill_scale());
    std::lock_guard lock(mutex);
    uint64_t blocks = (elements + kBlock - 1) / kBlock;
    // A weight may have more blocks than one launch may have tiles.
    uint64_t perTile = blocks / kMaxTiles + 1;
    pool.forEach((blocks + perTile - 1) / perTile, [&](int64_t tile, unsigned) {
      uint64_t begin = uint64_t(tile) * perTile * kBlock;
      fillElements(table, key, begin, std::min(elements, begin + perTile * kBlock), memory);
    });
  }

  ThreadPool pool;
  std::unique_ptr<CpuModule> module;
  uint8_t *workspace = nullptr;
  size_t workspaceStride = 0;
  std::vector<std::pair<void *, size_t>> filled; // synthetic weights
  LoadStats loadStats;
  std::mutex mutex; // sessions share the pool
};

CpuProgram::CpuProgram(CpuDevice &device, const fb::Program &program, const ProgramBuffers &buffers)
    : BoundProgram(program), device(device), inputs(buffers.inputs.data) {
  for (const fb::Launch *launch : *program.launches()) {
    CpuLaunch bound{device.module->kernel(launch->kernel()), launch->grid(), {}};
    for (const fb::Arg *arg : *launch->args())
      bound.args.push_back(buffers.view(*arg).data);
    launches.push_back(std::move(bound));
  }
}

void CpuProgram::run(std::span<const uint8_t> block, std::vector<double> *seconds) {
  std::lock_guard lock(device.mutex);
  std::memcpy(inputs, block.data(), block.size());
  const auto *dims = static_cast<const int64_t *>(inputs);
  if (seconds)
    seconds->assign(launches.size(), 0);
  for (size_t i = 0; i < launches.size(); ++i) {
    const CpuLaunch &launch = launches[i];
    LaunchContext context{launch.kernel, launch.args.data(), dims, device.workspace,
                          device.workspaceStride};
    auto start = seconds ? Clock::now() : Clock::time_point();
    device.pool.run(tileCount(*launch.grid, dims), runTile, &context);
    if (seconds)
      (*seconds)[i] = secondsSince(start);
  }
}

} // namespace

std::unique_ptr<Device> createCpuDevice(const DeviceOptions &options) {
  return std::make_unique<CpuDevice>(options.threads);
}

} // namespace moec::rt
