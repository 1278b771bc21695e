// Row programs against the reference interpreter.
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
  EXPECT_LE(harness.compare()[0], 1e-7);
  EXPECT_EQ(harness.result(0).rows(), 6);
}

} // namespace
