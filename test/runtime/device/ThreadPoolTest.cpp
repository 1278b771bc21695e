#include "runtime/device/cpu/ThreadPool.h"

#include <chrono>
#include <gtest/gtest.h>
#include <thread>

using namespace moec::rt;

namespace {

class ThreadPoolTest : public testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 3, 8));

TEST_P(ThreadPoolTest, EveryTileOnceForEveryCount) {
  ThreadPool pool(GetParam());
  ASSERT_EQ(pool.size(), GetParam());
  for (uint64_t tiles : {0, 1, 2, 3, 7, 64, 1000, 10007}) {
    std::vector<std::atomic<int>> seen(tiles);
    pool.forEach(tiles, [&](int64_t tile, unsigned worker) {
      ASSERT_LT(worker, pool.size());
      ++seen[tile];
    });
    for (uint64_t i = 0; i < tiles; ++i)
      ASSERT_EQ(seen[i], 1) << i << " of " << tiles;
  }
}

// Launches follow each other without a pause: late workers meet new launches.
TEST_P(ThreadPoolTest, ManyShortLaunches) {
  ThreadPool pool(GetParam());
  uint64_t plain = 0; // written by launch n, read by launch n + 1
  for (int launch = 0; launch < 20000; ++launch) {
    uint64_t tiles = 1 + launch % 5, before = plain;
    std::atomic<uint64_t> sum{0};
    pool.forEach(tiles, [&](int64_t tile, unsigned) {
      EXPECT_EQ(plain, before);
      sum += tile + 1;
    });
    ASSERT_EQ(sum, tiles * (tiles + 1) / 2);
    plain = sum;
  }
}

TEST_P(ThreadPoolTest, WakesSleepers) {
  ThreadPool pool(GetParam());
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    std::atomic<int> count{0};
    pool.forEach(100, [&](int64_t, unsigned) { ++count; });
    ASSERT_EQ(count, 100);
  }
}

TEST_P(ThreadPoolTest, WaitsForSlowTiles) {
  ThreadPool pool(GetParam());
  for (int round = 0; round < 3; ++round) {
    std::atomic<int> count{0};
    pool.forEach(4, [&](int64_t, unsigned) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      ++count;
    });
    ASSERT_EQ(count, 4);
  }
}

TEST(ThreadPool, WorkersDoNotShareAnIndexAtOnce) {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> busy(pool.size());
  pool.forEach(5000, [&](int64_t, unsigned worker) {
    EXPECT_EQ(busy[worker].fetch_add(1), 0);
    busy[worker].fetch_sub(1);
  });
}

TEST(ThreadPool, DefaultUsesTheCpusOfThisProcess) {
  EXPECT_EQ(ThreadPool().size(), usableCpus());
  EXPECT_GE(usableCpus(), 1u);
}

} // namespace
