// Kernel cases as a package for moec-kernel-test (runtime/tools/moec-kernel-test/README.md).
#pragma once

#include "codegen/target/nvidia/EmitKernels.h"
#include "runtime/bundle/Bundle_generated.h"

#include <array>
#include <string>
#include <vector>

namespace moec::cases {

/// Of "f32", "f8E4M3FN" and so on; throws when a package has no such type.
rt::fb::DType getDType(llvm::StringRef name);

/// A buffer of a case. Contiguous where it is written.
struct PackageSlot {
  std::string type; // "f32", "f8E4M3FN", ...
  uint64_t bytes = 0;
  bool isWritten = false;     // and compared
  bool isCounters = false;    // no input, zeros
  std::vector<uint8_t> input; // what is there before; empty: poison, or what `fill` says
  float fill = 0;             // standard deviation of random numbers made on the device; 0: none
  bool isConstant = false;    // every number is `fill` instead
  std::string fillName;       // that they are made from, as one weight for all slots of this name;
                              // empty: a name and a weight of the slot's own
  std::vector<uint8_t> expected; // of a written slot; empty: what the case's reference writes
  double tolerance = 0;          // relative L2 error of what is written
};

struct PackageLaunch {
  std::string kernel;
  rt::fb::Grid grid;
};

struct PackageCase {
  std::string name;
  PackageLaunch launch;
  /// A kernel of another image that takes the slots but for counters and scratch; empty: none.
  PackageLaunch reference;
  std::array<int64_t, 5> dims;
  uint64_t bytes = 0, flops = 0; // that the launch must move and compute
  std::vector<PackageSlot> slots;
};

/// The bytes of the package. `reference` has the references' kernels, or none.
std::vector<uint8_t> makePackage(const codegen::NvidiaImage &image,
                                 const codegen::NvidiaImage &reference, const std::string &arch,
                                 const std::vector<PackageCase> &cases);

} // namespace moec::cases
