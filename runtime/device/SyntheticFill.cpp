// A block of elements is written with one loop per storage width; the 1-byte
// types go through a table of codes, which makes them as fast as the others.
#include "runtime/device/SyntheticFill.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <xxhash.h>

namespace moec::rt {
namespace {

constexpr uint64_t kGamma = 0x9E3779B97F4A7C15ull;

uint64_t word(uint64_t key, uint64_t index) {
  uint64_t z = key + (index + 1) * kGamma;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

/// Standard deviation of a sum of four uniform bytes.
const double kByteSumDeviation = std::sqrt(4.0 * (256.0 * 256.0 - 1.0) / 12.0);

/// Quantiles (i + 1/2) / 256 of (sum of four uniform bytes - 510), in exact
/// integer arithmetic.
std::array<int, 256> byteSumQuantiles() {
  std::array<uint64_t, 1021> ways{};
  ways[0] = 1;
  for (int byte = 0; byte < 4; ++byte) {
    std::array<uint64_t, 1021> next{};
    for (int sum = 0; sum <= byte * 255; ++sum)
      for (int value = 0; value < 256; ++value)
        next[sum + value] += ways[sum];
    ways = next;
  }
  std::array<int, 256> quantiles{};
  uint64_t below = 0;
  int sum = 0;
  for (uint64_t i = 0; i < 256; ++i) {
    uint64_t rank = (2 * i + 1) << 23; // (i + 1/2) / 256 of 2^32 combinations
    while (below + ways[sum] <= rank)
      below += ways[sum++];
    quantiles[i] = sum - 510;
  }
  return quantiles;
}

/// Rounds to a float format with `mantissa` bits, exponent bias `bias` and
/// largest code `maxCode` (saturating), sign in bit `width - 1`.
uint32_t toSmallFloat(float value, int mantissa, int bias, uint32_t maxCode, int width) {
  uint32_t sign = std::signbit(value) ? 1u << (width - 1) : 0;
  double magnitude = std::fabs(double(value));
  if (!(magnitude > 0))
    return sign;
  int exponent = std::max(std::ilogb(magnitude), 1 - bias);
  // In units of the last place; nearbyint rounds to nearest even.
  double units = std::nearbyint(std::ldexp(magnitude, mantissa - exponent));
  if (exponent + bias > 1 << (width - 1 - mantissa))
    return sign | maxCode;
  // The hidden bit carries into the exponent field by itself.
  uint32_t code = uint32_t(units) + (uint32_t(exponent + bias - 1) << mantissa);
  return sign | std::min(code, maxCode);
}

template <typename T, typename Convert>
void fillPairs(float scale, uint64_t key, uint64_t begin, uint64_t end, T *out, Convert convert) {
  const float unit = float(scale / kByteSumDeviation);
  for (uint64_t i = begin; i < end; i += 2) {
    uint64_t bits = word(key, i / 2);
    // Four byte sums at once would be as good; two halves of four bytes each.
    uint64_t pairs = (bits & 0x00FF00FF00FF00FFull) + ((bits >> 8) & 0x00FF00FF00FF00FFull);
    uint64_t sums = pairs + (pairs >> 16);
    out[i] = convert(float(int(sums & 0xFFFF) - 510) * unit);
    if (i + 1 < end)
      out[i + 1] = convert(float(int((sums >> 32) & 0xFFFF) - 510) * unit);
  }
}

template <typename T>
void fillTable(const std::array<T, 256> &table, uint64_t key, uint64_t begin, uint64_t end,
               T *out) {
  for (uint64_t i = begin; i < end; i += 8) {
    uint64_t bits = word(key, i / 8);
    uint64_t count = std::min<uint64_t>(8, end - i);
    for (uint64_t j = 0; j < count; ++j, bits >>= 8)
      out[i + j] = table[bits & 255];
  }
}

template <typename T, typename Convert>
void fillQuantiles(float scale, uint64_t key, uint64_t begin, uint64_t end, void *memory,
                   Convert convert) {
  static const std::array<int, 256> quantiles = byteSumQuantiles();
  std::array<T, 256> table;
  for (int i = 0; i < 256; ++i)
    table[i] = convert(float(quantiles[i] * (scale / kByteSumDeviation)));
  fillTable(table, key, begin, end, static_cast<T *>(memory));
}

/// Rounds and saturates to [low, high]; NaN cannot occur.
template <typename T> T toInteger(float value, double low, double high) {
  return T(std::min(std::max(std::nearbyint(double(value)), low), high));
}
int8_t toI8(float v) { return toInteger<int8_t>(v, -128, 127); }
uint8_t toU8(float v) { return toInteger<uint8_t>(v, 0, 255); }
int32_t toI32(float v) { return toInteger<int32_t>(v, -2147483648.0, 2147483647.0); }

template <typename T> void fillConstant(T value, uint64_t begin, uint64_t end, void *memory) {
  std::fill(static_cast<T *>(memory) + begin, static_cast<T *>(memory) + end, value);
}

/// The loop for one storage type: pairs for wide floats, a table otherwise.
template <typename T, typename Convert>
void fillAs(bool wideFloat, fb::FillKind kind, float scale, uint64_t key, uint64_t begin,
            uint64_t end, void *memory, Convert convert) {
  if (kind == fb::FillKind::Constant)
    fillConstant<T>(convert(scale), begin, end, memory);
  else if (wideFloat)
    fillPairs(scale, key, begin, end, static_cast<T *>(memory), convert);
  else
    fillQuantiles<T>(scale, key, begin, end, memory, convert);
}

} // namespace

uint16_t toBF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  return uint16_t((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}
uint16_t toF16(float value) { return uint16_t(toSmallFloat(value, 10, 15, 0x7BFF, 16)); }
uint8_t toF8E4M3FN(float value) { return uint8_t(toSmallFloat(value, 3, 7, 0x7E, 8)); }
uint8_t toF8E5M2(float value) { return uint8_t(toSmallFloat(value, 2, 15, 0x7B, 8)); }

uint64_t fillKey(std::string_view weightName, uint64_t seed) {
  return XXH3_64bits_withSeed(weightName.data(), weightName.size(), seed);
}

void fillElements(fb::DType type, fb::FillKind kind, float scale, uint64_t key, uint64_t begin,
                  uint64_t end, void *memory) {
  auto fill = [&]<typename T>(bool wide, T (*)(float), auto convert) {
    fillAs<T>(wide, kind, scale, key, begin, end, memory, convert);
  };
  switch (type) {
  case fb::DType::F32:
    return fill(true, (float (*)(float)) nullptr, [](float v) { return v; });
  case fb::DType::F16:
    return fill(true, &toF16, toF16);
  case fb::DType::BF16:
    return fill(true, &toBF16, toBF16);
  case fb::DType::F8E4M3FN:
    return fill(false, &toF8E4M3FN, toF8E4M3FN);
  case fb::DType::F8E5M2:
    return fill(false, &toF8E5M2, toF8E5M2);
  case fb::DType::I8:
    return fill(false, &toI8, toI8);
  case fb::DType::U8:
    return fill(false, &toU8, toU8);
  case fb::DType::I32:
    return fill(false, &toI32, toI32);
  }
}

} // namespace moec::rt
