// Runs the tiles of one launch on persistent threads. Launches are short (tens
// of microseconds) and follow each other closely, so workers spin a little
// before they sleep, and a late worker never holds up the next launch.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace moec::rt {

class ThreadPool {
public:
  /// Called once per tile, on any thread; `worker` is in [0, size()).
  using TileFunction = void (*)(void *context, int64_t tile, unsigned worker);

  /// `threads` = 0: one per CPU this process may run on.
  explicit ThreadPool(unsigned threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  unsigned size() const { return unsigned(workers.size()) + 1; }

  /// Runs tiles [0, tiles) and returns when all are done; the caller works as
  /// worker 0. Not reentrant, one caller at a time. Tiles must not throw.
  void run(uint64_t tiles, TileFunction function, void *context);

  /// run() for anything callable as f(tile, worker).
  template <typename F> void forEach(uint64_t tiles, F &&f) {
    run(
        tiles,
        [](void *context, int64_t tile, unsigned worker) {
          (*static_cast<std::remove_reference_t<F> *>(context))(tile, worker);
        },
        const_cast<void *>(static_cast<const void *>(&f)));
  }

private:
  void work(unsigned worker);
  void drain(uint32_t generation, unsigned worker);
  bool awaitGeneration(uint32_t seen, uint32_t &generation);

  // `ticket` is (generation << 32) | next tile. The low half is kClosed while
  // the other fields change, so a claim proves that the fields it was made
  // from belong to its generation.
  static constexpr uint32_t kClosed = ~0u;
  alignas(64) std::atomic<uint64_t> ticket{kClosed};
  alignas(64) std::atomic<uint64_t> done{0};    // finished tiles of this generation
  alignas(64) std::atomic<uint32_t> started{0}; // last open generation, slept on
  std::atomic<uint32_t> sleepers{0};
  std::atomic<bool> callerSleeps{false};
  std::atomic<bool> stopping{false};
  alignas(64) std::atomic<TileFunction> function{nullptr};
  std::atomic<void *> context{nullptr};
  std::atomic<uint64_t> tiles{0};
  std::atomic<uint32_t> chunk{1}; // tiles per claim
  std::vector<std::thread> workers;
};

/// CPUs this process may run on.
unsigned usableCpus();

} // namespace moec::rt
