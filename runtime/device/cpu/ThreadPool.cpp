// A launch is published by storing its fields and then opening the ticket. The
// caller waits for finished tiles, not for workers: one that wakes late finds
// a spent ticket and goes back to waiting.
#include "runtime/device/cpu/ThreadPool.h"

#include <algorithm>
#include <chrono>
#include <sched.h>

namespace moec::rt {
namespace {

// Longer than the gap between two launches, short against a scheduler's slice.
constexpr std::chrono::microseconds kSpinTime{50};

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

/// Spins until `ready()` or until kSpinTime is over; the last answer.
template <typename F> bool spin(F ready) {
  auto end = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < 64; ++i) {
      if (ready())
        return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return ready();
}

} // namespace

unsigned usableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
    return unsigned(CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

ThreadPool::ThreadPool(unsigned threads) {
  if (threads == 0)
    threads = usableCpus();
  workers.reserve(threads - 1);
  for (unsigned worker = 1; worker < threads; ++worker)
    workers.emplace_back([this, worker] { work(worker); });
}

ThreadPool::~ThreadPool() {
  stopping = true;
  started.fetch_add(1);
  started.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

void ThreadPool::run(uint64_t count, TileFunction f, void *ctx) {
  if (count == 0)
    return;
  if (count == 1 || workers.empty()) {
    for (uint64_t tile = 0; tile < count; ++tile)
      f(ctx, int64_t(tile), 0);
    return;
  }
  uint32_t generation = started.load(std::memory_order_relaxed) + 1;
  ticket.exchange(uint64_t(generation) << 32 | kClosed);
  function.store(f, std::memory_order_relaxed);
  context.store(ctx, std::memory_order_relaxed);
  tiles.store(count, std::memory_order_relaxed);
  // Neighbouring tiles read neighbouring memory: claim a few at a time, but
  // leave enough claims for the threads to end together.
  chunk.store(uint32_t(std::clamp<uint64_t>(count / (size() * 8), 1, 64)),
              std::memory_order_relaxed);
  done.store(0, std::memory_order_relaxed);
  ticket.store(uint64_t(generation) << 32);
  started.store(generation);
  if (sleepers.load() > 0)
    started.notify_all();

  drain(generation, 0);
  if (spin([&] { return done.load(std::memory_order_acquire) == count; }))
    return;
  callerSleeps = true;
  for (uint64_t seen; (seen = done.load()) != count;)
    done.wait(seen);
  callerSleeps = false;
}

/// Claims and runs tiles of `generation` until none is left.
void ThreadPool::drain(uint32_t generation, unsigned worker) {
  for (;;) {
    uint64_t seen = ticket.load(std::memory_order_acquire);
    uint64_t first = seen & 0xFFFFFFFFu;
    if (seen >> 32 != generation || first == kClosed)
      return;
    TileFunction f = function.load(std::memory_order_relaxed);
    void *ctx = context.load(std::memory_order_relaxed);
    uint64_t count = tiles.load(std::memory_order_relaxed);
    uint64_t end = std::min<uint64_t>(count, first + chunk.load(std::memory_order_relaxed));
    if (first >= count)
      return;
    if (!ticket.compare_exchange_weak(seen, seen - first + end, std::memory_order_acq_rel))
      continue;
    for (uint64_t tile = first; tile < end; ++tile)
      f(ctx, int64_t(tile), worker);
    uint64_t finished = done.fetch_add(end - first) + (end - first);
    if (finished == count && callerSleeps.load())
      done.notify_one();
  }
}

/// Waits for a generation other than `seen`; false when the pool stops.
bool ThreadPool::awaitGeneration(uint32_t seen, uint32_t &generation) {
  auto changed = [&] { return started.load(std::memory_order_acquire) != seen; };
  if (!spin(changed)) {
    sleepers.fetch_add(1);
    started.wait(seen);
    sleepers.fetch_sub(1);
  }
  generation = started.load();
  return !stopping;
}

void ThreadPool::work(unsigned worker) {
  uint32_t generation = 0;
  while (awaitGeneration(generation, generation))
    drain(generation, worker);
}

} // namespace moec::rt
