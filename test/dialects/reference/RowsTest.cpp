// Row ops against values worked out by hand.
#include "test/dialects/reference/Fixture.h"

#include <cmath>

using namespace moec::reference;
using namespace moec::reference::test;

using RowsTest = ReferenceTest;

TEST_F(RowsTest, EmbeddingTakesRowsById) {
  auto table = floats({3, 2}, {0, 1, 10, 11, 20, 21});
  auto out = evaluate("moe.embedding", "tensor<?xi32>, tensor<3x2xf32>", "", "tensor<?x2xf32>",
                      {ints({3}, {2, 0, 2}), table});
  expectNear(out[0], {20, 21, 0, 1, 20, 21});
  EXPECT_EQ(fail("moe.embedding", "tensor<?xi32>, tensor<3x2xf32>", "", "tensor<?x2xf32>",
                 {ints({1}, {3}), table}),
            "'moe.embedding': id 3 is outside 0 .. 2");
  EXPECT_EQ(fail("moe.embedding", "tensor<?xi32>, tensor<3x2xf32>", "", "tensor<?x2xf32>",
                 {ints({1}, {-1}), table}),
            "'moe.embedding': id -1 is outside 0 .. 2");
}

TEST_F(RowsTest, GatherRowsTakesRowsByIndex) {
  auto x = floats({2, 2}, {1, 2, 3, 4});
  auto out = evaluate("moe.gather_rows", "tensor<?x2xf32>, tensor<?xi32>", "", "tensor<?x2xf32>",
                      {x, ints({3}, {1, 1, 0})});
  expectNear(out[0], {3, 4, 3, 4, 1, 2});
  EXPECT_EQ(fail("moe.gather_rows", "tensor<?x2xf32>, tensor<?xi32>", "", "tensor<?x2xf32>",
                 {x, ints({1}, {2})}),
            "'moe.gather_rows': row 2 is outside 0 .. 1");
}

TEST_F(RowsTest, AddIsElementwise) {
  auto out = evaluate("moe.add", "tensor<?x2xf32>, tensor<?x2xf32>", "", "tensor<?x2xf32>",
                      {floats({1, 2}, {1, 2}), floats({1, 2}, {10, 20})});
  expectNear(out[0], {11, 22});
  EXPECT_EQ(fail("moe.add", "tensor<?x2xf32>, tensor<?x2xf32>", "", "tensor<?x2xf32>",
                 {floats({1, 2}, {1, 2}), floats({2, 2}, {1, 2, 3, 4})}),
            "'moe.add': operands have 1 and 2 rows");
}

TEST_F(RowsTest, RmsNormUsesEpsilonInsideTheRoot) {
  auto out = evaluate("moe.rms_norm", "tensor<?x2xf32>, tensor<2xf32>", "epsilon = 0.5 : f64",
                      "tensor<?x2xf32>", {floats({2, 2}, {1, 2, 0, 0}), floats({2}, {1, 10})});
  double root = std::sqrt(2.5 + 0.5);
  expectNear(out[0], {1 / root, 20 / root, 0, 0});
}

TEST_F(RowsTest, RmsNormOfHeadsTakesEachByItself) {
  auto out = evaluate("moe.rms_norm", "tensor<?x4xf32>, tensor<2xf32>",
                      "epsilon = 0.5 : f64, heads = 2 : i64", "tensor<?x4xf32>",
                      {floats({1, 4}, {1, 2, 3, 4}), floats({2}, {1, 10})});
  double first = std::sqrt(2.5 + 0.5), second = std::sqrt(12.5 + 0.5);
  expectNear(out[0], {1 / first, 20 / first, 3 / second, 40 / second});
}

TEST_F(RowsTest, SwigluIsSiluOfGateTimesUp) {
  auto out = evaluate("moe.swiglu", "tensor<?x3xf32>, tensor<?x3xf32>", "", "tensor<?x3xf32>",
                      {floats({1, 3}, {0, 1, -1000}), floats({1, 3}, {5, 2, 3})});
  expectNear(out[0], {0, 2 / (1 + std::exp(-1.0)), 0});
}

TEST_F(RowsTest, SliceAndConcatMoveColumns) {
  auto x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  expectNear(
      evaluate("moe.slice", "tensor<?x3xf32>", "offset = 1 : i64", "tensor<?x2xf32>", {x})[0],
      {2, 3, 5, 6});
  auto y = floats({2, 1}, {7, 8});
  expectNear(
      evaluate("moe.concat", "tensor<?x3xf32>, tensor<?x1xf32>", "", "tensor<?x4xf32>", {x, y})[0],
      {1, 2, 3, 7, 4, 5, 6, 8});
}

TEST_F(RowsTest, DeinterleaveTakesBlocksInTurn) {
  auto x = floats({2, 6}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  auto parts = [&](const std::string &block) {
    return evaluate("moe.deinterleave", "tensor<?x6xf32>", "block = " + block + " : i64",
                    "tensor<?x3xf32>, tensor<?x3xf32>", {x});
  };
  // The last block of each is short, or there is only one.
  expectNear(parts("2")[0], {1, 2, 5, 7, 8, 11});
  expectNear(parts("2")[1], {3, 4, 6, 9, 10, 12});
  expectNear(parts("8")[1], {4, 5, 6, 10, 11, 12});
}

TEST_F(RowsTest, RopeRotatesNeighboursOrHalves) {
  // Two heads of one pass-through column and 4 rotated ones; angles p and p/100.
  auto x = floats({1, 10}, {9, 1, 2, 3, 4, 8, 5, 6, 7, 8});
  auto rotate = [&](const std::string &layout) {
    return evaluate("moe.rope", "tensor<?x10xf32>, tensor<?xi32>",
                    "heads = 2 : i64, operandSegmentSizes = array<i32: 1, 1, 0>, rope = #moe.rope<"
                    "dim = 4, theta = 1.0e4, layout = " +
                        layout + ">",
                    "tensor<?x10xf32>", {x, ints({1}, {3})})[0];
  };
  double c0 = std::cos(3.0), s0 = std::sin(3.0), c1 = std::cos(0.03), s1 = std::sin(0.03);
  expectNear(rotate("interleaved"),
             {9, 1 * c0 - 2 * s0, 1 * s0 + 2 * c0, 3 * c1 - 4 * s1, 3 * s1 + 4 * c1, 8,
              5 * c0 - 6 * s0, 5 * s0 + 6 * c0, 7 * c1 - 8 * s1, 7 * s1 + 8 * c1});
  expectNear(rotate("half"),
             {9, 1 * c0 - 3 * s0, 2 * c1 - 4 * s1, 1 * s0 + 3 * c0, 2 * s1 + 4 * c1, 8,
              5 * c0 - 7 * s0, 6 * c1 - 8 * s1, 5 * s0 + 7 * c0, 6 * s1 + 8 * c1});
}

TEST_F(RowsTest, YarnScalesCosAndSin) {
  auto out =
      evaluate("moe.rope", "tensor<?x2xf32>, tensor<?xi32>",
               "heads = 1 : i64, operandSegmentSizes = array<i32: 1, 1, 0>, rope = #moe.rope<"
               "dim = 2, theta = 1.0e4, layout = half, scaling = #moe.yarn<factor = 4.0, "
               "original_context = 8, beta_fast = 32.0, beta_slow = 1.0, "
               "attention_factor = 1.5>>",
               "tensor<?x2xf32>", {floats({1, 2}, {1, 0}), ints({1}, {0})});
  expectNear(out[0], {1.5, 0});
}
