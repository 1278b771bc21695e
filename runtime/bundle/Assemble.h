// Small bundles in memory: a file from the manifest as an object and the bytes of its segments.
// The compiler's writer streams models instead.
#pragma once

#include "runtime/bundle/Bundle_generated.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace moec::rt {

struct BundleParts {
  fb::ManifestT manifest;
  std::vector<std::vector<uint8_t>> segments; // the manifest's, in order
};

/// Lays the file out as Format.h says. Segment offsets, sizes and checksums are filled in; `edit`
/// may change them before the manifest is serialised.
std::vector<uint8_t> assemble(BundleParts parts,
                              const std::function<void(fb::ManifestT &)> &edit = {});

/// Makes both checksums right again after the bytes were edited.
void reseal(std::vector<uint8_t> &file);

} // namespace moec::rt
