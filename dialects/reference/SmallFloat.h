// Floating point formats of 8 and 16 bits, exactly: every code as a double, and
// the nearest code of a double (ties to even). Values that are too large become
// the largest finite value in 8-bit formats (as the hardware's saturating
// conversions do) and infinity in 16-bit ones.
#pragma once

#include "mlir/IR/BuiltinTypes.h"

#include <optional>

namespace moec::reference {

struct SmallFloat {
  enum class Special {
    Ieee,        // the highest exponent holds infinity and NaN
    OneNan,      // "FN": all bits but the sign set is NaN, no infinity
    NegativeZero // "FNUZ": the code of -0 is the only NaN, no infinity
  };
  int exponentBits;
  int mantissaBits;
  int bias;
  Special special;

  static constexpr SmallFloat e4m3() { return {4, 3, 7, Special::OneNan}; }
  static constexpr SmallFloat e5m2() { return {5, 2, 15, Special::Ieee}; }
  static constexpr SmallFloat e4m3fnuz() { return {4, 3, 8, Special::NegativeZero}; }
  static constexpr SmallFloat e5m2fnuz() { return {5, 2, 16, Special::NegativeZero}; }
  static constexpr SmallFloat bf16() { return {8, 7, 127, Special::Ieee}; }
  static constexpr SmallFloat f16() { return {5, 10, 15, Special::Ieee}; }

  /// The format of a type, when it is one of these.
  static std::optional<SmallFloat> of(mlir::Type type);

  int bits() const { return 1 + exponentBits + mantissaBits; }
  /// The largest finite value.
  double largest() const;
  double decode(uint32_t code) const;
  uint32_t encode(double value) const;
  /// decode(encode(value)).
  double round(double value) const;
};

/// `value` as an element of `type` can hold it: f64, f32, f8E8M0FNU (the next
/// power of two upwards) or one of the formats above.
double roundTo(mlir::Type type, double value);

} // namespace moec::reference
