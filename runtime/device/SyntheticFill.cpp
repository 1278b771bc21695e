// Every element is a code out of a table, found by a byte or a sum of bytes of
// its word: one loop per storage width, and no device rounds for itself.
#include "runtime/device/SyntheticFill.h"

#include "runtime/bundle/Verify.h"

#include <algorithm>
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

template <typename T>
void fillBySum(const T *table, uint64_t key, uint64_t begin, uint64_t end, T *out) {
  for (uint64_t i = begin; i < end; i += 2) {
    uint64_t bits = word(key, i / 2);
    // Two halves of four bytes each, added side by side.
    uint64_t pairs = (bits & 0x00FF00FF00FF00FFull) + ((bits >> 8) & 0x00FF00FF00FF00FFull);
    uint64_t sums = pairs + (pairs >> 16);
    out[i] = table[sums & 0xFFFF];
    if (i + 1 < end)
      out[i + 1] = table[(sums >> 32) & 0xFFFF];
  }
}

template <typename T>
void fillByByte(const T *table, uint64_t key, uint64_t begin, uint64_t end, T *out) {
  for (uint64_t i = begin; i < end; i += 8) {
    uint64_t bits = word(key, i / 8);
    uint64_t count = std::min<uint64_t>(8, end - i);
    for (uint64_t j = 0; j < count; ++j, bits >>= 8)
      out[i + j] = table[bits & 255];
  }
}

template <typename T>
void fillAs(const FillTable &fill, uint64_t key, uint64_t begin, uint64_t end, void *memory) {
  const T *table = reinterpret_cast<const T *>(fill.codes().data());
  T *out = static_cast<T *>(memory);
  if (fill.index() == FillTable::Index::Sum)
    fillBySum(table, key, begin, end, out);
  else if (fill.index() == FillTable::Index::Byte)
    fillByByte(table, key, begin, end, out);
  else
    std::fill(out + begin, out + end, table[0]);
}

/// Rounds and saturates to [low, high]; NaN cannot occur.
template <typename T> T toInteger(float value, double low, double high) {
  return T(std::min(std::max(std::nearbyint(double(value)), low), high));
}
int8_t toI8(float v) { return toInteger<int8_t>(v, -128, 127); }
uint8_t toU8(float v) { return toInteger<uint8_t>(v, 0, 255); }
int32_t toI32(float v) { return toInteger<int32_t>(v, -2147483648.0, 2147483647.0); }

/// The code of a value, as an integer of the type's width.
uint32_t codeOf(fb::DType type, float value) {
  switch (type) {
  case fb::DType::F32:
    return std::bit_cast<uint32_t>(value);
  case fb::DType::F16:
    return toF16(value);
  case fb::DType::BF16:
    return toBF16(value);
  case fb::DType::F8E4M3FN:
    return toF8E4M3FN(value);
  case fb::DType::F8E5M2:
    return toF8E5M2(value);
  case fb::DType::I8:
    return uint8_t(toI8(value));
  case fb::DType::U8:
    return toU8(value);
  case fb::DType::I32:
    return uint32_t(toI32(value));
  }
  return 0;
}

bool isWideFloat(fb::DType type) {
  return type == fb::DType::F32 || type == fb::DType::F16 || type == fb::DType::BF16;
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

FillTable::FillTable(fb::DType type, fb::FillKind kind, float scale)
    : by(kind == fb::FillKind::Constant ? Index::Nothing
         : isWideFloat(type)            ? Index::Sum
                                        : Index::Byte),
      width(elementSize(type)) {
  static const std::array<int, 256> quantiles = byteSumQuantiles();
  auto add = [&](float value) {
    uint32_t code = codeOf(type, value); // little-endian
    const auto *first = reinterpret_cast<const uint8_t *>(&code);
    bytes.insert(bytes.end(), first, first + width);
  };
  const double unit = scale / kByteSumDeviation;
  if (by == Index::Nothing)
    add(scale);
  else if (by == Index::Sum)
    for (int sum = 0; sum <= 4 * 255; ++sum)
      add(float(sum - 510) * float(unit));
  else
    for (int quantile : quantiles)
      add(float(quantile * unit));
}

void fillElements(const FillTable &table, uint64_t key, uint64_t begin, uint64_t end,
                  void *memory) {
  if (table.codeBytes() == 4)
    fillAs<uint32_t>(table, key, begin, end, memory);
  else if (table.codeBytes() == 2)
    fillAs<uint16_t>(table, key, begin, end, memory);
  else
    fillAs<uint8_t>(table, key, begin, end, memory);
}

} // namespace moec::rt
