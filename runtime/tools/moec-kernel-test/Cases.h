// What a package of kernel tests asks for: a bundle whose entries are the
// cases, with a text file "cases.json" that says what goes in and what must
// come out (README.md has the format).
#pragma once

#include "runtime/device/Device.h"

#include <optional>
#include <string>
#include <vector>

namespace moec::rt {

/// A place in the buffers of a case.
struct Place {
  fb::ArgKind kind = fb::ArgKind::Arena; // Arena, Output or Cache
  uint32_t layer = 0;                    // of the cache
  uint64_t offset = 0;                   // bytes
};

/// Bytes that are there when a case starts.
struct CaseInput {
  uint32_t weight; // that holds them
  Place to;
};

/// Elements that a case must write.
struct CaseOutput {
  Place from;
  fb::DType dtype;
  uint64_t count;                   // elements
  std::optional<uint32_t> expected; // weight, of any type; none: what the case's reference writes
  std::optional<uint32_t> indices;  // I32 weight: which elements `expected` has; none: all
  bool exact = false;
  double maxL2 = 0;  // |got - expected| / |expected|
  double maxAbs = 0; // largest difference over the root mean square of expected
};

struct Case {
  std::string name;
  const fb::Program *program;
  const fb::Program *reference = nullptr; // makes the same outputs in the same places
  Dims dims;
  std::vector<CaseInput> inputs;
  std::vector<CaseOutput> outputs;
};

/// All cases of the package, checked against it. Throws Error(Bundle).
std::vector<Case> readCases(const BundleFile &bundle);

/// Bytes of `kind` that a case has room for: the arena, the logits, or what
/// its inputs put into a cache.
uint64_t roomFor(const BundleFile &bundle, const Case &c, const Place &place);

} // namespace moec::rt
