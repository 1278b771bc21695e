#include "runtime/tools/moec-run/LoadReport.h"

#include <cstdio>
#include <unistd.h>

namespace moec::rt {

LoadProgress loadProgress() {
  if (!::isatty(STDERR_FILENO))
    return {};
  return [](uint64_t done, uint64_t total) {
    std::fprintf(stderr, "\rloading weights %.1f / %.1f GB%s", double(done) / 1e9,
                 double(total) / 1e9, done == total ? "\r\033[K" : "");
  };
}

void reportLoad(const Model &model) {
  LoadStats s = model.device().stats();
  std::fprintf(stderr, "device: %s\n", model.device().describe().c_str());
  uint64_t bytes = s.copiedBytes + s.filledBytes;
  if (bytes)
    std::fprintf(stderr, "weights: %.3f GB copied, %.3f GB filled in %.3f s, %.2f GB/s\n",
                 double(s.copiedBytes) / 1e9, double(s.filledBytes) / 1e9, s.weightSeconds,
                 double(bytes) / s.weightSeconds / 1e9);
  if (s.graphs)
    std::fprintf(stderr, "graphs: %llu with %llu launches recorded in %.3f s, %.1f MB\n",
                 (unsigned long long)s.graphs, (unsigned long long)s.graphLaunches, s.graphSeconds,
                 double(s.graphBytes) / 1e6);
}

} // namespace moec::rt
