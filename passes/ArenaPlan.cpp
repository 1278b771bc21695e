#include "passes/ArenaPlan.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace moec::passes;

static bool overlap(const Interval &a, const Interval &b) {
  return a.first <= b.last && b.first <= a.last;
}

namespace {
struct Placed {
  uint64_t offset, end;
  const Interval *interval;
};
} // namespace

/// The start of the smallest gap of at least `bytes` between the placed buffers
/// that live at the same time; the end of them all when there is none.
static uint64_t findGap(llvm::ArrayRef<Placed> placed, const Interval &interval, uint64_t bytes) {
  uint64_t end = 0, best = 0, bestSize = std::numeric_limits<uint64_t>::max();
  for (const Placed &other : placed) { // by rising offset
    if (!overlap(*other.interval, interval))
      continue;
    uint64_t gap = other.offset > end ? other.offset - end : 0;
    if (gap >= bytes && gap < bestSize) {
      best = end;
      bestSize = gap;
    }
    end = std::max(end, other.end);
  }
  return bestSize == std::numeric_limits<uint64_t>::max() ? end : best;
}

ArenaPlan moec::passes::planArena(llvm::ArrayRef<Interval> intervals, uint64_t alignment) {
  auto order = llvm::to_vector(llvm::seq<size_t>(0, intervals.size()));
  llvm::sort(order, [&](size_t a, size_t b) {
    return std::make_pair(intervals[b].bytes, a) < std::make_pair(intervals[a].bytes, b);
  });
  ArenaPlan plan;
  plan.offsets.resize(intervals.size());
  llvm::SmallVector<Placed> placed;
  for (size_t index : order) {
    const Interval &interval = intervals[index];
    uint64_t bytes = llvm::alignTo(interval.bytes, alignment);
    uint64_t offset = findGap(placed, interval, bytes);
    plan.offsets[index] = offset;
    plan.bytes = std::max(plan.bytes, offset + bytes);
    auto place = llvm::lower_bound(
        placed, offset, [](const Placed &other, uint64_t at) { return other.offset < at; });
    placed.insert(place, {offset, offset + bytes, &interval});
  }
  return plan;
}
