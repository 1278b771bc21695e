// Matrix products against their index formulas.
#include "dialects/reference/Random.h"
#include "test/dialects/reference/Fixture.h"

using namespace moec::reference;
using namespace moec::reference::test;

namespace {
class LinearTest : public ReferenceTest {
protected:
  Tensor draw(Shape shape) {
    Tensor tensor(shape);
    for (double &element : tensor.data)
      element = numbers.normal();
    return tensor;
  }
  Random numbers{7};
};
} // namespace

TEST_F(LinearTest, MultipliesByTheTransposedWeight) {
  auto out = evaluate("moe.linear", "tensor<?x2xf32>, tensor<3x2xf32>", "", "tensor<?x3xf32>",
                      {floats({2, 2}, {1, 2, 3, 4}), floats({3, 2}, {1, 0, 0, 1, 10, 100})});
  expectNear(out[0], {1, 2, 210, 3, 4, 430});
}

TEST_F(LinearTest, AddsTheBias) {
  auto out = evaluate("moe.linear", "tensor<?x2xf32>, tensor<3x2xf32>, tensor<3xf32>", "",
                      "tensor<?x3xf32>",
                      {floats({2, 2}, {1, 2, 3, 4}), floats({3, 2}, {1, 0, 0, 1, 10, 100}),
                       floats({3}, {5, 6, 7})});
  expectNear(out[0], {6, 8, 217, 8, 10, 437});
}

TEST_F(LinearTest, QuantizedOperandsStandForCodeTimesScale) {
  Quantized x{Tensor({1, 3}, {1, 2, 3}), Tensor({1, 2}, {0.5, 2}), {1, 2}};
  Quantized w{Tensor({2, 3}, {1, 1, 1, 2, 2, 2}), Tensor({1, 2}, {10, 100}), {2, 2}};
  auto out = evaluate("moe.linear",
                      "!moe.qtensor<?x3xf8E4M3FN, block = [1, 2], scale = f32>, "
                      "!moe.qtensor<2x3xf8E4M3FN, block = [2, 2], scale = f32>",
                      "", "tensor<?x2xf32>", {share(x), share(w)});
  expectNear(out[0], {0.5 * 10 + 1 * 10 + 6 * 100, 2 * (0.5 * 10 + 1 * 10 + 6 * 100)});
}

TEST_F(LinearTest, HeadLinearReducesOverColumns) {
  // 2 heads of x with 5 columns, of the weight with 4 rows; 3 latent columns.
  Tensor x = draw({2, 10}), w = draw({8, 3}), expected({2, 4});
  for (int t = 0; t < 2; ++t)
    for (int h = 0; h < 2; ++h)
      for (int i = 0; i < 2; ++i)
        for (int k = 0; k < 3; ++k)
          expected.at(t, h * 2 + i) += x.at(t, h * 5 + 1 + k) * w.at(h * 4 + 2 + i, k);
  auto out = evaluate("moe.head_linear", "tensor<?x10xf32>, tensor<8x3xf32>",
                      "heads = 2 : i64, x_offset = 1 : i64, x_size = 3 : i64, w_offset = 2 : i64, "
                      "w_size = 2 : i64, transposed = false",
                      "tensor<?x4xf32>", {share(x), share(w)});
  expectNear(out[0], expected.data);
}

TEST_F(LinearTest, HeadLinearTransposedReducesOverRows) {
  Tensor x = draw({2, 10}), w = draw({8, 3}), expected({2, 6});
  for (int t = 0; t < 2; ++t)
    for (int h = 0; h < 2; ++h)
      for (int k = 0; k < 3; ++k)
        for (int i = 0; i < 2; ++i)
          expected.at(t, h * 3 + k) += x.at(t, h * 5 + 3 + i) * w.at(h * 4 + 1 + i, k);
  auto out = evaluate("moe.head_linear", "tensor<?x10xf32>, tensor<8x3xf32>",
                      "heads = 2 : i64, x_offset = 3 : i64, x_size = 2 : i64, w_offset = 1 : i64, "
                      "w_size = 2 : i64, transposed = true",
                      "tensor<?x6xf32>", {share(x), share(w)});
  expectNear(out[0], expected.data);
}
