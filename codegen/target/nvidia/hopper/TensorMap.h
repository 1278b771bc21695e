// What the copy engine must know of a buffer to move boxes of it: the record that a bundle keeps
// and the runtime encodes. The kernel gets the encoded map (128 bytes) by value and names boxes by
// coordinates.
#pragma once

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

#include <cstdint>

namespace moec::hopper {

/// A size: multiplier * (bound of run-time size `dim`) + addend; `dim` counts as in kern.dim, 0 is
/// one.
struct Extent {
  unsigned dim = 0;
  uint64_t multiplier = 0, addend = 0;

  static Extent of(uint64_t size) { return {0, 0, size}; }
  static Extent of(unsigned dim, uint64_t multiplier) { return {dim, multiplier, 0}; }
};

struct TensorMap {
  enum class Element { Byte, BFloat16, Float32 };

  unsigned slot = 0;                      // the kernel's argument that is the buffer
  uint64_t offset = 0;                    // bytes from the argument's address to element 0
  Element element = Element::Byte;        // FP8 is moved as bytes
  llvm::SmallVector<Extent, 2> sizes;     // elements, innermost first
  llvm::SmallVector<uint64_t, 1> strides; // bytes between elements of sizes[1], sizes[2], ...
  llvm::SmallVector<uint32_t, 2> box;     // elements moved at once, like sizes
  unsigned swizzle = 0;                   // bytes of the pattern: 0, 32, 64, 128
  unsigned l2Promotion = 256;             // bytes that a miss fetches into the second cache

  unsigned getElementBytes() const;
  /// Bytes that a box takes in shared memory; a barrier counts all, whatever lies outside the
  /// tensor.
  uint64_t getBoxBytes() const;
  /// What the engine would refuse, named by the field.
  llvm::Error verify() const;

  /// Rows of `rowBytes` bytes in boxes of `boxRows` rows by 128 bytes, in the order in which
  /// warpgroup products read them: 16-byte chunk c of row r lies at chunk c ^ (r % 8).
  static TensorMap ofOperand(unsigned slot, uint64_t rowBytes, Extent rows, uint32_t boxRows);
};

} // namespace moec::hopper
