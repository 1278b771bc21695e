// A line on a terminal that says how far a long copy is: bytes, rate, time left.
// Prints nothing when standard error is no terminal.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace moec::bundle {

class ProgressBar {
public:
  ProgressBar(llvm::StringRef what, uint64_t totalBytes);
  ~ProgressBar(); // clears the line
  void advance(uint64_t bytes);

  /// The line's text after `seconds`; what advance() prints.
  static std::string render(llvm::StringRef what, uint64_t done, uint64_t total, double seconds);

private:
  using Clock = std::chrono::steady_clock;
  std::string what;
  uint64_t total, done = 0;
  bool visible;
  Clock::time_point start, lastPrint;
};

/// "1.50 GiB", "12 bytes".
std::string bytesText(uint64_t bytes);

} // namespace moec::bundle
