// Weights made from a seed, so that a deployment can be timed before its
// weights are there. The definition is by element, so that any number of
// threads, on any device, writes the same bytes:
//
//   key     = XXH3-64(weight's name, seed)
//   word(j) = splitmix64's output function applied to key + (j + 1) *
//   0x9E3779B97F4A7C15
//
// Constant: every element is `scale`, rounded to the weight's type.
// Normal, 2- and 4-byte floats: element i uses the 4 bytes of half i % 2 of
//   word(i / 2); z = (their sum - 510) / sqrt(4 * (256^2 - 1) / 12), an
//   approximately normal number within +-3.5; the element is z * scale.
// Normal, 1-byte types and I32: element i uses byte i % 8 of word(i / 8) as an
//   index into 256 quantiles of the same distribution, times `scale`.
// Rounding is to nearest even; F8 and integers saturate.
#pragma once

#include "runtime/bundle/Bundle_generated.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace moec::rt {

/// Elements are filled in blocks of a multiple of this many.
inline constexpr uint64_t kFillUnit = 64;

uint64_t fillKey(std::string_view weightName, uint64_t seed);

/// The few codes that a weight's elements can have, so that a device only
/// looks them up.
class FillTable {
public:
  enum class Index {
    Nothing, // Constant: one code
    Sum,     // 2- and 4-byte floats: by the sum of four bytes, 1021 codes
    Byte     // others: by one byte, 256 codes
  };
  /// `kind` is Normal or Constant.
  FillTable(fb::DType type, fb::FillKind kind, float scale);

  Index index() const { return by; }
  unsigned codeBytes() const { return width; }
  /// The codes one after the other, codeBytes() each.
  const std::vector<uint8_t> &codes() const { return bytes; }
  /// Elements that come from one 64-bit word.
  unsigned elementsPerWord() const { return by == Index::Sum ? 2 : 8; }

private:
  Index by;
  unsigned width;
  std::vector<uint8_t> bytes;
};

/// Writes elements [begin, end) of a weight whose element 0 is at `memory`.
/// `begin` is a multiple of kFillUnit.
void fillElements(const FillTable &table, uint64_t key, uint64_t begin, uint64_t end, void *memory);

/// Conversions to the small types, to nearest even, saturating (FP8).
uint16_t toBF16(float value);
uint16_t toF16(float value);
uint8_t toF8E4M3FN(float value);
uint8_t toF8E5M2(float value);

} // namespace moec::rt
