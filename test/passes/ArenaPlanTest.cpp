// Packing of buffers: lives that overlap never share bytes, others do.
#include "passes/ArenaPlan.h"

#include "gtest/gtest.h"

#include <random>

using namespace moec::passes;

namespace {

bool sharesBytes(const ArenaPlan &plan, llvm::ArrayRef<Interval> intervals, size_t a, size_t b) {
  return plan.offsets[a] < plan.offsets[b] + intervals[b].bytes &&
         plan.offsets[b] < plan.offsets[a] + intervals[a].bytes;
}

void expectSound(const ArenaPlan &plan, llvm::ArrayRef<Interval> intervals, uint64_t alignment) {
  for (size_t a = 0; a < intervals.size(); ++a) {
    EXPECT_EQ(plan.offsets[a] % alignment, 0u);
    EXPECT_LE(plan.offsets[a] + intervals[a].bytes, plan.bytes);
    for (size_t b = 0; b < a; ++b) {
      bool together =
          intervals[a].first <= intervals[b].last && intervals[b].first <= intervals[a].last;
      if (together) {
        EXPECT_FALSE(sharesBytes(plan, intervals, a, b)) << a << " and " << b;
      }
    }
  }
}

} // namespace

TEST(ArenaPlan, Empty) {
  ArenaPlan plan = planArena({});
  EXPECT_EQ(plan.bytes, 0u);
}

TEST(ArenaPlan, SharesBytesOfTheDead) {
  std::vector<Interval> intervals = {{0, 1, 1000}, {1, 2, 500}, {2, 3, 1000}};
  ArenaPlan plan = planArena(intervals);
  expectSound(plan, intervals, 64);
  EXPECT_EQ(plan.offsets[0], plan.offsets[2]);
  EXPECT_EQ(plan.bytes, 1024u + 512u);
}

// A launch reads and writes at once: a buffer that ends where another begins
// lives beside it.
TEST(ArenaPlan, LastUseAndFirstDefinitionDoNotShare) {
  std::vector<Interval> intervals = {{0, 1, 64}, {1, 1, 64}};
  ArenaPlan plan = planArena(intervals);
  expectSound(plan, intervals, 64);
  EXPECT_EQ(plan.bytes, 128u);
}

TEST(ArenaPlan, TakesTheSmallestGap) {
  // While the last lives there are gaps of 4096 and of 2048 bytes.
  std::vector<Interval> intervals = {{0, 9, 4096}, {0, 0, 4096}, {0, 9, 3072},
                                     {0, 0, 2048}, {0, 9, 1536}, {1, 1, 1024}};
  ArenaPlan plan = planArena(intervals);
  expectSound(plan, intervals, 64);
  EXPECT_EQ(plan.offsets[5], plan.offsets[3]);
}

TEST(ArenaPlan, RandomBuffersAreSoundAndDense) {
  std::mt19937 random(7);
  std::vector<Interval> intervals;
  std::vector<uint64_t> alive(64);
  for (int i = 0; i < 300; ++i) {
    unsigned first = random() % 60, last = first + random() % 4;
    uint64_t bytes = random() % 5000;
    intervals.push_back({first, last, bytes});
    for (unsigned at = first; at <= last; ++at)
      alive[at] += (bytes + 63) / 64 * 64;
  }
  ArenaPlan plan = planArena(intervals);
  expectSound(plan, intervals, 64);
  uint64_t needed = *std::max_element(alive.begin(), alive.end());
  EXPECT_GE(plan.bytes, needed);
  EXPECT_LE(plan.bytes, needed + needed / 4);
}
