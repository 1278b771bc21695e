// Random numbers that are the same on every machine and library.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

namespace moec::reference {

class Random {
public:
  explicit Random(uint64_t seed) : engine(seed) {}
  /// A stream of its own for each name.
  Random(uint64_t seed, llvm::StringRef name) : engine(hash(seed, name)) {}

  /// In [0, 1).
  double uniform() { return double(engine() >> 11) * 0x1p-53; }
  /// In [0, size).
  int64_t below(int64_t size) { return int64_t(engine() % uint64_t(size)); }
  double normal() {
    double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

private:
  /// FNV-1a.
  static uint64_t hash(uint64_t seed, llvm::StringRef name) {
    uint64_t state = 14695981039346656037u ^ seed;
    for (unsigned char letter : name)
      state = (state ^ letter) * 1099511628211u;
    return state;
  }

  std::mt19937_64 engine;
};

} // namespace moec::reference
