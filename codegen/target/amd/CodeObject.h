// What the metadata of an AMDGPU code object says of its kernels.
#pragma once

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace moec::codegen {

struct CodeObjectReport {
  unsigned vectorRegisters = 0;      // per thread, accumulators included
  unsigned accumulatorRegisters = 0; // of these, only for matrix products
  unsigned scalarRegisters = 0;      // per wavefront
  unsigned spilledRegisters = 0;     // vector and scalar ones
  uint64_t sharedBytes = 0;          // LDS of a workgroup
  uint64_t scratchBytes = 0;         // memory of a thread of its own
};

/// By symbol. `object` is an ELF file with a note of metadata (code object V3 and later).
llvm::Expected<llvm::StringMap<CodeObjectReport>> readCodeObject(llvm::StringRef object);

} // namespace moec::codegen
