// Verifies a bundle once and completely, so that everything after it may trust
// every index, offset and length. Bundles are untrusted input: nothing is
// believed before it is checked.
#pragma once

#include "runtime/bundle/Bundle_generated.h"
#include "runtime/bundle/Format.h"

#include <cstdint>
#include <span>
#include <string>

namespace moec::rt {

struct VerifyOptions {
  bool headerChecksums = true; // header and manifest; only a fuzzer turns it off
  bool codeChecksums = true;
  bool weightChecksums = true; // reads the whole file
  unsigned threads = 0;        // for checksums; 0: one per hardware thread
};

/// `file` is the whole bundle, 16-byte aligned; `name` is used in messages.
/// Returns its manifest, which lies in `file`. Throws Error(ErrorKind::Bundle).
const fb::Manifest *verifyBundle(std::span<const uint8_t> file, const std::string &name,
                                 const VerifyOptions &options = {});

/// Bytes of one element.
unsigned elementSize(fb::DType type);
const char *dtypeName(fb::DType type);

/// Value of a grid expression for run-time sizes `dims` (see
/// docs/contracts.md). Verified bundles cannot overflow it within their
/// program's bounds.
inline uint64_t tileCount(const fb::Grid &grid, const int64_t *dims) {
  uint64_t scaled = uint64_t(dims[int(grid.dim())]) * grid.multiplier();
  uint64_t tiles = (scaled + grid.divisor() - 1) / grid.divisor();
  return grid.factor() * (tiles < grid.cap() ? tiles : grid.cap());
}

/// Blocks of a CUDA launch of `tiles` tiles: at most max_blocks, whole clusters.
inline uint64_t blockCount(const fb::Kernel &kernel, uint64_t tiles) {
  uint64_t blocks =
      kernel.max_blocks() && tiles > kernel.max_blocks() ? kernel.max_blocks() : tiles;
  return (blocks + kernel.cluster() - 1) / kernel.cluster() * kernel.cluster();
}

/// The upper bounds of a program in the order of Dim.
inline uint64_t boundOf(const fb::Program &program, fb::Dim dim) {
  const uint64_t bounds[] = {1, program.max_tokens(), program.max_sequences(),
                             program.max_output_rows()};
  return bounds[int(dim)];
}

/// Elements along a tensor map's dimension at a program's bounds.
inline uint64_t extentOf(const fb::Extent &extent, const fb::Program &program) {
  return extent.multiplier() * boundOf(program, extent.dim()) + extent.addend();
}

/// Whether a map has as many outermost elements as its buffer holds.
inline bool isOpen(const fb::TensorMap &map) {
  const fb::Extent &last = *map.sizes()->Get(map.sizes()->size() - 1);
  return map.sizes()->size() > 1 && last.multiplier() == 0 && last.addend() == 0;
}

/// Largest tile count of a launch.
inline constexpr uint64_t kMaxTiles = 1u << 31;

} // namespace moec::rt
