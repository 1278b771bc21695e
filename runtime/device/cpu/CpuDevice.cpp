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

class CpuDevice final : public Device {
public:
  explicit CpuDevice(unsigned threads) : pool(threads) {}
  ~CpuDevice() override {
    if (workspace)
      releaseHost(workspace, workspaceStride * pool.size());
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
        static_cast<uint8_t *>(allocateHost(workspaceStride * pool.size(), "kernel workspace"));
  }

  void *allocate(size_t bytes, const std::string &purpose) override {
    return allocateHost(bytes, purpose);
  }
  void release(void *memory, size_t bytes) override { releaseHost(memory, bytes); }
  const void *adoptWeight(std::span<const uint8_t> bytes) override { return bytes.data(); }

  void fillWeight(const fb::Weight &weight, uint64_t seed, void *memory) override {
    constexpr uint64_t kBlock = 1 << 16; // elements
    static_assert(kBlock % kFillUnit == 0);
    uint64_t elements = weight.bytes() / elementSize(weight.dtype());
    uint64_t key = fillKey(weight.name()->string_view(), seed);
    std::lock_guard lock(mutex);
    uint64_t blocks = (elements + kBlock - 1) / kBlock;
    // A weight may have more blocks than one launch may have tiles.
    uint64_t perTile = blocks / kMaxTiles + 1;
    pool.forEach((blocks + perTile - 1) / perTile, [&](int64_t tile, unsigned) {
      uint64_t begin = uint64_t(tile) * perTile * kBlock;
      fillElements(weight.dtype(), weight.fill(), weight.fill_scale(), key, begin,
                   std::min(elements, begin + perTile * kBlock), memory);
    });
  }

  void copyIn(void *to, const void *from, size_t bytes) override { std::memcpy(to, from, bytes); }
  void copyOut(void *to, const void *from, size_t bytes) override { std::memcpy(to, from, bytes); }
  void fillBytes(void *memory, int byte, size_t bytes) override {
    std::memset(memory, byte, bytes);
  }

  void run(const BoundProgram &program, const Dims &dims, std::vector<double> *seconds) override {
    std::lock_guard lock(mutex);
    if (seconds)
      seconds->assign(program.launches.size(), 0);
    for (size_t i = 0; i < program.launches.size(); ++i) {
      const BoundLaunch &launch = program.launches[i];
      LaunchContext context{module->kernel(launch.kernel), launch.args.data(), dims.data(),
                            workspace, workspaceStride};
      auto start = seconds ? Clock::now() : Clock::time_point();
      pool.run(tileCount(*launch.grid, dims.data()), runTile, &context);
      if (seconds)
        (*seconds)[i] = secondsSince(start);
    }
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

private:
  ThreadPool pool;
  std::unique_ptr<CpuModule> module;
  uint8_t *workspace = nullptr;
  size_t workspaceStride = 0;
  std::mutex mutex; // sessions share the pool
};

} // namespace

std::unique_ptr<Device> createCpuDevice(unsigned threads) {
  return std::make_unique<CpuDevice>(threads);
}

} // namespace moec::rt
