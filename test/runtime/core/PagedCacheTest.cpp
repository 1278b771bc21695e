#include "runtime/core/PagedCache.h"
#include "test/runtime/toy/ExpectError.h"

using namespace moec::rt;

namespace {

TEST(PageAllocator, HandsOutEveryPageOnce) {
  PageAllocator pages(5);
  std::vector<int32_t> got;
  while (pages.freePages())
    got.push_back(pages.allocate());
  EXPECT_EQ(got, (std::vector<int32_t>{0, 1, 2, 3, 4}));
  EXPECT_RT_ERROR(pages.allocate(), Internal, "no free cache page of 5");
  pages.release(3);
  EXPECT_EQ(pages.freePages(), 1u);
  EXPECT_EQ(pages.allocate(), 3);
}

TEST(PageAllocator, RefusesForeignPages) {
  PageAllocator pages(2);
  EXPECT_RT_ERROR(pages.release(0), Internal, "cache page 0 is not in use");
  pages.allocate();
  EXPECT_RT_ERROR(pages.release(2), Internal, "cache page 2 is not in use");
  EXPECT_RT_ERROR(pages.release(-1), Internal, "cache page -1 is not in use");
}

} // namespace
