// Run-time quantization: scale, ties, saturation, partial blocks.
#include "dialects/reference/SmallFloat.h"
#include "test/dialects/reference/Fixture.h"

using namespace moec::reference;
using namespace moec::reference::test;

namespace {
class QuantizationTest : public ReferenceTest {
protected:
  Quantized quantize(const Tensor &x) {
    std::string columns = std::to_string(x.columns());
    auto out = evaluate("moe.quantize", "tensor<?x" + columns + "xf32>", "",
                        "!moe.qtensor<?x" + columns + "xf8E4M3FN, block = [1, 128], scale = f32>",
                        {share(x)});
    return std::get<Quantized>(*out[0]);
  }
};
} // namespace

TEST_F(QuantizationTest, LargestBecomes448) {
  Tensor x({1, 2}, {-3.5, 1.0});
  Quantized q = quantize(x);
  double scale = double(float(3.5 / 448));
  EXPECT_EQ(q.scales.data, std::vector<double>{scale});
  EXPECT_EQ(q.codes.data, (std::vector<double>{-448, 128}));
}

TEST_F(QuantizationTest, SmallRowsUseTheLeastScale) {
  Quantized q = quantize(Tensor({2, 2}, {0, 0, 1e-6, -1e-4}));
  double scale = double(float(1e-4 / 448));
  EXPECT_EQ(q.scales.data, (std::vector<double>{scale, scale}));
  EXPECT_EQ(q.codes.data, (std::vector<double>{0, 0, SmallFloat::e4m3().round(4.48), -448}));
}

TEST_F(QuantizationTest, TiesGoToEven) {
  // Scale 1: codes between 16 and 32 are 2 apart.
  Quantized q = quantize(Tensor({1, 5}, {448, 17, 19, 21, 0x1p-10}));
  EXPECT_EQ(q.scales.data, std::vector<double>{1});
  EXPECT_EQ(q.codes.data, (std::vector<double>{448, 16, 20, 20, 0}));
}

TEST_F(QuantizationTest, TiesAreThoseOfTheQuotientInF32) {
  // 1.7f / 0.1f is 17.0000002 in double, and 17, between the codes 16 and 18, in f32.
  Quantized q = quantize(Tensor({1, 2}, {double(44.8f), double(1.7f)}));
  EXPECT_EQ(q.scales.data, std::vector<double>{double(0.1f)});
  EXPECT_EQ(q.codes.data, (std::vector<double>{448, 16}));
}

TEST_F(QuantizationTest, BlocksAreAlongColumnsAndTheLastMayBePartial) {
  Tensor x({2, 130}, 1);
  x.at(0, 129) = 448;
  x.at(1, 0) = 896;
  Quantized q = quantize(x);
  EXPECT_EQ(q.scales.shape, (Shape{2, 2}));
  EXPECT_EQ(q.scales.data,
            (std::vector<double>{double(float(1.0 / 448)), 1, 2, double(float(1.0 / 448))}));
  EXPECT_EQ(q.codes.at(0, 127), 448);
  EXPECT_EQ(q.codes.at(0, 128), 1);
  EXPECT_EQ(q.codes.at(1, 127), 0.5);
  EXPECT_EQ(q.codes.at(1, 128), 448);
}

TEST_F(QuantizationTest, DequantizeMultiplies) {
  Quantized q{Tensor({1, 3}, {1, -2, 448}), Tensor({1, 2}, {0.5, 0.25}), {1, 2}};
  auto out = evaluate("moe.dequantize", "!moe.qtensor<?x3xf8E4M3FN, block = [1, 2], scale = f32>",
                      "", "tensor<?x3xf32>", {share(q)});
  expectNear(out[0], {0.5, -1, 112});
}

TEST_F(QuantizationTest, WholeAxesShareAScaleWhenTheBlockIsZero) {
  Quantized rows{Tensor({2, 2}, {1, 2, 3, 4}), Tensor({2, 1}, {10, 100}), {1, 0}};
  EXPECT_EQ(rows.dequantize().data, (std::vector<double>{10, 20, 300, 400}));
  Quantized tensor{Tensor({2, 2}, {1, 2, 3, 4}), Tensor({1, 1}, 10.0), {0, 0}};
  EXPECT_EQ(tensor.dequantize().data, (std::vector<double>{10, 20, 30, 40}));
}

TEST_F(QuantizationTest, StacksHaveScalesForEachMatrix) {
  // Two matrices of 3x3 in blocks of 2x2: 2x2 scales each.
  Quantized q{Tensor({2, 3, 3}, 1), Tensor({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}), {2, 2}};
  EXPECT_EQ(q.dequantize().data,
            (std::vector<double>{1, 1, 2, 1, 1, 2, 3, 3, 4, 5, 5, 6, 5, 5, 6, 7, 7, 8}));
}
