#include "codegen/bundle/ProgressBar.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <unistd.h>

using namespace llvm;
using namespace moec::bundle;

std::string moec::bundle::bytesText(uint64_t bytes) {
  static constexpr const char *units[] = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024)
    return formatv("{0} bytes", bytes);
  double value = bytes / 1024.0;
  unsigned unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit)
    value /= 1024;
  return formatv("{0:F2} {1}", value, units[unit]);
}

static std::string timeText(double seconds) {
  uint64_t whole = std::min(seconds, 359999.0);
  return formatv("{0}:{1,0+2}:{2,0+2}", whole / 3600, whole / 60 % 60, whole % 60);
}

ProgressBar::ProgressBar(StringRef what, uint64_t totalBytes)
    : what(what), total(totalBytes), visible(totalBytes && ::isatty(STDERR_FILENO)),
      start(Clock::now()), lastPrint(start) {}

ProgressBar::~ProgressBar() {
  if (visible)
    errs() << "\r\033[K";
}

std::string ProgressBar::render(StringRef what, uint64_t done, uint64_t total, double seconds) {
  constexpr unsigned width = 24;
  double part = total ? double(done) / total : 1;
  unsigned filled = std::min<unsigned>(part * width, width);
  double rate = seconds > 0 ? done / seconds : 0;
  std::string left = rate > 0 ? timeText((total - done) / rate) : "-:--:--";
  return formatv("{0} [{1}{2}] {3,3}%  {4} of {5}  {6}/s  {7} left", what, std::string(filled, '#'),
                 std::string(width - filled, '.'), unsigned(part * 100), bytesText(done),
                 bytesText(total), bytesText(rate), left);
}

void ProgressBar::advance(uint64_t bytes) {
  done += bytes;
  if (!visible)
    return;
  Clock::time_point now = Clock::now();
  if (now - lastPrint < std::chrono::milliseconds(100))
    return;
  lastPrint = now;
  double seconds = std::chrono::duration<double>(now - start).count();
  errs() << '\r' << render(what, done, total, seconds) << "\033[K";
}
