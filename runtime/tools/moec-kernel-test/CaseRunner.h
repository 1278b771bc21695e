// Runs cases on a device: every buffer is poisoned, inputs are put in place,
// the case's launches run, and what they wrote is compared.
#pragma once

#include "runtime/tools/moec-kernel-test/Cases.h"

namespace moec::rt {

struct CaseResult {
  double maxAbs = 0, l2 = 0; // the worst of its outputs, as in CaseOutput
  std::string complaint;     // empty: passed
  double microseconds = 0;   // of one call; 0: not timed
  double bytes = 0, flops = 0, peakFlops = 0;
};

class CaseRunner {
public:
  /// `weights`: of the bundle, as the device loaded them.
  CaseRunner(Device &device, const BundleFile &bundle, std::vector<void *> weights)
      : device(device), bundle(bundle), weights(std::move(weights)) {}

  /// Never throws for a wrong result; a kernel that crashes does.
  CaseResult check(const Case &c);
  /// Seconds of one call in a chain of calls whose weights are not in a cache.
  double time(const Case &c);

private:
  struct Buffers;
  struct Elements {
    fb::DType type = fb::DType::U8;
    std::vector<uint8_t> bytes;
  };
  void fill(const Case &c, Buffers &buffers);
  /// From one place of the device's memory to another.
  void copy(void *to, const void *from, uint64_t bytes);
  void copyCaches(Buffers &buffers, uint32_t layers, uint64_t copies);
  void run(const fb::Program &program, const Case &c, Buffers &buffers);
  void compare(const CaseOutput &output, const Elements &expected, Buffers &buffers,
               CaseResult &result);
  Elements read(fb::DType type, const void *memory, uint64_t count);
  Elements readWeight(uint32_t index);

  Device &device;
  const BundleFile &bundle;
  std::vector<void *> weights;
  std::vector<uint8_t> piece;
};

/// Elements as numbers.
std::vector<double> decode(fb::DType type, const uint8_t *bytes, uint64_t count);

} // namespace moec::rt
