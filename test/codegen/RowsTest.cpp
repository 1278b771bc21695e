// Row programs against plain loops.
#include "test/codegen/KernelHarness.h"

#include "gtest/gtest.h"

using namespace moec::test;

namespace {

TEST(Rows, AddStridedView) {
  KernelHarness harness(R"(
    kern.kernel @k(%x: tensor<?x129xf32>, %y: tensor<?x129xf32>) -> tensor<?x129xf32> attributes {
        hero = #kern.hero<pointwise>,
        rows = [#kern.rows<tokens * 2>, #kern.rows<tokens * 2>, #kern.rows<tokens * 2>],
        row_strides = array<i64: 300, 129, 129>} {
      %0 = moe.add %x, %y : tensor<?x129xf32>
      kern.yield %0 : tensor<?x129xf32>
    })",
                        {.tokens = 3});
  harness.run();
  ASSERT_EQ(harness.result(0).rows(), 6);
  for (int64_t row = 0; row < 6; ++row)
    for (int64_t column = 0; column < 129; ++column)
      EXPECT_EQ(harness.result(0).at(row, column),
                float(harness.argument(0).at(row, column) + harness.argument(1).at(row, column)));
}

} // namespace
