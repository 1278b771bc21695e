// Every code of every small format against LLVM's own floats, and rounding at
// ties, at the borders and of specials.
#include "dialects/reference/SmallFloat.h"

#include "llvm/ADT/APFloat.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using llvm::APFloat;
using moec::reference::SmallFloat;

namespace {
struct Format {
  const char *name;
  SmallFloat format;
  const llvm::fltSemantics &semantics;
};
class SmallFloatTest : public testing::TestWithParam<Format> {};

constexpr double infinity = std::numeric_limits<double>::infinity();
} // namespace

TEST_P(SmallFloatTest, DecodesEveryCode) {
  const SmallFloat &format = GetParam().format;
  for (uint32_t code = 0; code < (1u << format.bits()); ++code) {
    APFloat expected(GetParam().semantics, llvm::APInt(format.bits(), code));
    double value = format.decode(code);
    if (expected.isNaN()) {
      EXPECT_TRUE(std::isnan(value)) << code;
      continue;
    }
    EXPECT_EQ(value, expected.convertToDouble()) << code;
    EXPECT_EQ(std::signbit(value), expected.isNegative()) << code;
    bool saturates = std::isinf(value) && format.bits() == 8;
    EXPECT_EQ(format.encode(value), saturates ? code - 1 : code);
  }
}

TEST_P(SmallFloatTest, RoundsBetweenNeighboursToEven) {
  const SmallFloat &format = GetParam().format;
  for (uint32_t code = 0; code + 1 < (1u << (format.bits() - 1)); ++code) {
    double low = format.decode(code), high = format.decode(code + 1);
    if (!std::isfinite(high))
      break;
    double middle = (low + high) / 2;
    uint32_t even = code % 2 ? code + 1 : code;
    EXPECT_EQ(format.encode(middle), even) << code;
    EXPECT_EQ(format.encode(std::nextafter(middle, 0)), code);
    EXPECT_EQ(format.encode(std::nextafter(middle, infinity)), code + 1);
    EXPECT_EQ(format.round(-middle), -format.round(middle));
  }
}

TEST_P(SmallFloatTest, LargeValuesSaturateIn8BitsAndOverflowIn16) {
  const SmallFloat &format = GetParam().format;
  double beyond = format.bits() == 8 ? format.largest() : infinity;
  EXPECT_EQ(format.largest(), APFloat::getLargest(GetParam().semantics).convertToDouble());
  EXPECT_EQ(format.round(1e40), beyond);
  EXPECT_EQ(format.round(-1e40), -beyond);
  EXPECT_EQ(format.round(infinity), beyond);
  EXPECT_EQ(format.round(format.largest()), format.largest());
}

TEST_P(SmallFloatTest, NanStaysNan) {
  const SmallFloat &format = GetParam().format;
  double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(format.round(nan)));
  EXPECT_TRUE(std::isnan(format.decode(format.encode(nan))));
}

INSTANTIATE_TEST_SUITE_P(
    Formats, SmallFloatTest,
    testing::Values(Format{"e4m3", SmallFloat::e4m3(), APFloat::Float8E4M3FN()},
                    Format{"e5m2", SmallFloat::e5m2(), APFloat::Float8E5M2()},
                    Format{"e4m3fnuz", SmallFloat::e4m3fnuz(), APFloat::Float8E4M3FNUZ()},
                    Format{"e5m2fnuz", SmallFloat::e5m2fnuz(), APFloat::Float8E5M2FNUZ()},
                    Format{"bf16", SmallFloat::bf16(), APFloat::BFloat()},
                    Format{"f16", SmallFloat::f16(), APFloat::IEEEhalf()}),
    [](const auto &info) { return info.param.name; });

TEST(SmallFloatValues, KnownCodes) {
  EXPECT_EQ(SmallFloat::e4m3().decode(0x7e), 448);
  EXPECT_EQ(SmallFloat::e4m3().decode(0x01), 0x1p-9);
  EXPECT_EQ(SmallFloat::e4m3().decode(0xb8), -1);
  EXPECT_EQ(SmallFloat::bf16().decode(0x3f80), 1);
  EXPECT_EQ(SmallFloat::e4m3fnuz().round(-1e-9), 0);
  EXPECT_FALSE(std::signbit(SmallFloat::e4m3fnuz().round(-1e-9)));
  EXPECT_EQ(SmallFloat::e4m3fnuz().encode(-1e-9), 0u);
}

TEST(RoundTo, ScaleTypes) {
  mlir::MLIRContext context;
  mlir::Type f32 = mlir::Float32Type::get(&context), e8m0 = mlir::Float8E8M0FNUType::get(&context);
  EXPECT_EQ(moec::reference::roundTo(f32, 0.1), double(0.1f));
  EXPECT_EQ(moec::reference::roundTo(mlir::BFloat16Type::get(&context), 0.1), 0.10009765625);
  EXPECT_EQ(moec::reference::roundTo(e8m0, 0.3), 0.5);
  EXPECT_EQ(moec::reference::roundTo(e8m0, 0.25), 0.25);
}
