// Conversions by the definition of the formats; no bit tricks.
#include "dialects/reference/SmallFloat.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace moec::reference;

std::optional<SmallFloat> SmallFloat::of(mlir::Type type) {
  if (llvm::isa<mlir::Float8E4M3FNType>(type))
    return e4m3();
  if (llvm::isa<mlir::Float8E5M2Type>(type))
    return e5m2();
  if (llvm::isa<mlir::Float8E4M3FNUZType>(type))
    return e4m3fnuz();
  if (llvm::isa<mlir::Float8E5M2FNUZType>(type))
    return e5m2fnuz();
  if (type.isBF16())
    return bf16();
  if (type.isF16())
    return f16();
  return std::nullopt;
}

double SmallFloat::largest() const {
  int fields = 1 << exponentBits, mantissas = 1 << mantissaBits;
  int exponent = special == Special::Ieee ? fields - 2 : fields - 1;
  int mantissa = special == Special::OneNan ? mantissas - 2 : mantissas - 1;
  return std::ldexp(mantissas + mantissa, exponent - bias - mantissaBits);
}

double SmallFloat::decode(uint32_t code) const {
  int mantissas = 1 << mantissaBits, fields = 1 << exponentBits;
  int mantissa = code & (mantissas - 1), exponent = (code >> mantissaBits) & (fields - 1);
  bool negative = (code >> (bits() - 1)) & 1;
  double sign = negative ? -1 : 1, nan = std::numeric_limits<double>::quiet_NaN();
  bool allOnes = exponent == fields - 1 && mantissa == mantissas - 1;
  if (special == Special::OneNan && allOnes)
    return nan;
  if (special == Special::NegativeZero && negative && exponent == 0 && mantissa == 0)
    return nan;
  if (special == Special::Ieee && exponent == fields - 1)
    return mantissa ? nan : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) // subnormal
    return sign * std::ldexp(mantissa, 1 - bias - mantissaBits);
  return sign * std::ldexp(mantissas + mantissa, exponent - bias - mantissaBits);
}

double SmallFloat::round(double value) const {
  if (std::isnan(value))
    return value;
  double magnitude = std::abs(value), limit = largest();
  if (std::isfinite(magnitude)) {
    // Neighbours of the value are `step` apart.
    int exponent = magnitude == 0 ? 1 - bias : std::max(std::ilogb(magnitude), 1 - bias);
    double step = std::ldexp(1.0, exponent - mantissaBits);
    magnitude = std::nearbyint(magnitude / step) * step;
  }
  if (magnitude > limit)
    magnitude = bits() == 8 ? limit : std::numeric_limits<double>::infinity();
  if (special == Special::NegativeZero && magnitude == 0)
    return 0;
  return std::copysign(magnitude, value);
}

uint32_t SmallFloat::encode(double value) const {
  uint32_t sign = 1u << (bits() - 1);
  double rounded = round(value);
  if (std::isnan(rounded))
    return special == Special::NegativeZero ? sign : sign - 1;
  // Positive codes are in the order of their values: search there.
  uint32_t low = 0, high = sign - 1;
  if (special == Special::OneNan)
    --high;
  if (special == Special::Ieee)
    high = ((1u << exponentBits) - 1) << mantissaBits; // infinity
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (decode(middle) < std::abs(rounded))
      low = middle + 1;
    else
      high = middle;
  }
  return std::signbit(rounded) ? sign | low : low;
}

double moec::reference::roundTo(mlir::Type type, double value) {
  if (auto format = SmallFloat::of(type))
    return format->round(value);
  if (type.isF32())
    return double(float(value));
  if (llvm::isa<mlir::Float8E8M0FNUType>(type))
    return std::exp2(std::clamp(std::ceil(std::log2(value)), -127.0, 127.0));
  return value;
}
