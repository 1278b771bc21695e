#include "runtime/device/SyntheticFill.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

using namespace moec::rt;

namespace {

float fromF8(uint8_t code, int mantissa, int bias) {
  int exponent = (code & 0x7F) >> mantissa, fraction = code & ((1 << mantissa) - 1);
  float value = exponent ? std::ldexp(1 + std::ldexp(float(fraction), -mantissa), exponent - bias)
                         : std::ldexp(float(fraction), 1 - bias - mantissa);
  return code & 0x80 ? -value : value;
}

TEST(SmallFloats, EveryF8CodeSurvives) {
  for (int code = 0; code < 256; ++code) {
    if ((code & 0x7F) != 0x7F) // NaN
      EXPECT_EQ(toF8E4M3FN(fromF8(code, 3, 7)), code);
    if ((code & 0x7F) < 0x7C) // infinity and NaN
      EXPECT_EQ(toF8E5M2(fromF8(code, 2, 15)), code);
  }
}

TEST(SmallFloats, RoundToNearestEvenAndSaturate) {
  for (int code = 0; code < 0x7E; ++code) {
    float low = fromF8(code, 3, 7), high = fromF8(code + 1, 3, 7);
    EXPECT_EQ(toF8E4M3FN((low + high) / 2), code + (code & 1));
    EXPECT_EQ(toF8E4M3FN(std::nextafter((low + high) / 2, 1e9f)), code + 1);
    EXPECT_EQ(toF8E4M3FN(std::nextafter((low + high) / 2, 0.f)), code);
  }
  EXPECT_EQ(toF8E4M3FN(1e9f), 0x7E);
  EXPECT_EQ(toF8E4M3FN(-465.f), 0xFE);
  EXPECT_EQ(toF8E5M2(1e9f), 0x7B);
  EXPECT_EQ(toBF16(1.00390625f), 0x3F80); // a tie
  EXPECT_EQ(toBF16(std::nextafter(1.00390625f, 2.f)), 0x3F81);
}

TEST(SmallFloats, F16AgreesWithTheCompiler) {
  for (uint32_t i = 0; i < 100000; ++i) {
    float value = std::bit_cast<float>(i * 42949u);
    if (!std::isfinite(value) || std::fabs(value) >= 65520.f)
      continue;
    EXPECT_EQ(toF16(value), std::bit_cast<uint16_t>(_Float16(value))) << value;
  }
}

template <typename T>
std::vector<T> filled(fb::DType type, fb::FillKind kind, float scale, uint64_t key, size_t count,
                      size_t block) {
  FillTable table(type, kind, scale);
  std::vector<T> out(count);
  for (size_t i = 0; i < count; i += block)
    fillElements(table, key, i, std::min(count, i + block), out.data());
  return out;
}

template <typename T> void checkMoments(fb::DType type, float scale, float (*decode)(T)) {
  uint64_t key = fillKey("layers.0.w", 42);
  auto whole = filled<T>(type, fb::FillKind::Normal, scale, key, 100001, 100001);
  auto parts = filled<T>(type, fb::FillKind::Normal, scale, key, 100001, 128);
  EXPECT_EQ(std::memcmp(whole.data(), parts.data(), whole.size() * sizeof(T)), 0);
  double sum = 0, squares = 0;
  for (T code : whole) {
    sum += decode(code);
    squares += double(decode(code)) * decode(code);
  }
  double mean = sum / whole.size();
  EXPECT_NEAR(mean / scale, 0, 0.015);
  EXPECT_NEAR(std::sqrt(squares / whole.size() - mean * mean) / scale, 1, 0.02);
  auto other = filled<T>(type, fb::FillKind::Normal, scale, fillKey("layers.1.w", 42), 1000, 1000);
  EXPECT_NE(std::memcmp(whole.data(), other.data(), 1000 * sizeof(T)), 0);
}

TEST(SyntheticFill, NormalHasItsMomentsInEveryType) {
  checkMoments<float>(fb::DType::F32, 0.02f, [](float v) { return v; });
  checkMoments<uint16_t>(fb::DType::BF16, 0.02f,
                         [](uint16_t v) { return std::bit_cast<float>(uint32_t(v) << 16); });
  checkMoments<uint16_t>(fb::DType::F16, 0.02f,
                         [](uint16_t v) { return float(std::bit_cast<_Float16>(v)); });
  checkMoments<uint8_t>(fb::DType::F8E4M3FN, 30, [](uint8_t v) { return fromF8(v, 3, 7); });
  checkMoments<uint8_t>(fb::DType::F8E5M2, 30, [](uint8_t v) { return fromF8(v, 2, 15); });
  checkMoments<int8_t>(fb::DType::I8, 30, [](int8_t v) { return float(v); });
}

TEST(SyntheticFill, Constant) {
  auto f32 = filled<float>(fb::DType::F32, fb::FillKind::Constant, 1.5f, 0, 9, 9);
  EXPECT_EQ(f32, std::vector<float>(9, 1.5f));
  auto f8 = filled<uint8_t>(fb::DType::F8E4M3FN, fb::FillKind::Constant, 1, 0, 9, 9);
  EXPECT_EQ(f8, std::vector<uint8_t>(9, 0x38));
}

// The bytes are part of the contract between devices.
TEST(SyntheticFill, KnownValues) {
  EXPECT_NE(fillKey("a", 1), fillKey("a", 2));
  // splitmix64 seeded with 0 starts with 0xE220A8397B1DCDAF: bytes AF CD 1D 7B
  // make element 0, 39 A8 20 E2 element 1.
  auto v = filled<float>(fb::DType::F32, fb::FillKind::Normal, 1, 0, 2, 2);
  double unit = std::sqrt(4 * 65535.0 / 12);
  EXPECT_NEAR(v[0], (0xAF + 0xCD + 0x1D + 0x7B - 510) / unit, 1e-6);
  EXPECT_NEAR(v[1], (0x39 + 0xA8 + 0x20 + 0xE2 - 510) / unit, 1e-6);
}

} // namespace
