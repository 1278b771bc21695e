// Kernel cases as a package for moec-kernel-test (runtime/tools/moec-kernel-test/README.md).
#pragma once

#include "codegen/target/nvidia/EmitKernels.h"
#include "runtime/bundle/Bundle_generated.h"

#include <array>
#include <string>
#include <vector>

namespace moec::test {

/// A buffer of a case: read, written, or both. Contiguous where it is written.
struct PackageSlot {
  std::string type;              // "f32", "f8E4M3FN", ...
  std::vector<uint8_t> input;    // empty: poisoned
  std::vector<uint8_t> expected; // empty: not written
  double tolerance = 0;          // relative L2 error of what is written
};

struct PackageCase {
  std::string name, kernel;
  std::array<int64_t, 5> dims;
  rt::fb::Grid grid;
  std::vector<PackageSlot> slots;
};

/// The bytes of the package.
std::vector<uint8_t> makePackage(const codegen::NvidiaImage &image, const std::string &arch,
                                 const std::vector<PackageCase> &cases);

} // namespace moec::test
