// The table of AMD's chips: LLVM's names for them, what a workgroup may have, and how fast they are
// for the roofline.
#pragma once

#include "codegen/kernels/Machine.h"
#include "dialects/kern/TargetModel.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace moec::codegen {

/// Threads that run in step.
inline constexpr int64_t kWavefront = 64;

struct AmdChip {
  llvm::StringLiteral name;   // as given, LLVM's -mcpu
  llvm::StringLiteral device; // the device whose rates these are
  int computeUnits;
  int64_t sharedKib;         // LDS of a compute unit, all of which one workgroup may have
  double gigabytesPerSecond; // from device memory
  double teraflops;          // bf16 matrix products, dense
  bool hasOcpFp8;            // conversions of E4M3FN in hardware, rather than of E4M3FNUZ
  bool hasDeepMfma;          // bf16 products of 16 x 16 x 32

  Machine getMachine() const;
  kern::TargetRates getRates() const;

  /// Workgroups of `threads` threads that a compute unit holds at once, with `registers` vector
  /// registers a thread (accumulators included) and `sharedBytes` of LDS each.
  unsigned countGroups(unsigned threads, unsigned registers, uint64_t sharedBytes) const;
};

llvm::ArrayRef<AmdChip> getAmdChips();

/// The chip of this name; fails with the known names.
llvm::Expected<const AmdChip *> findAmdChip(llvm::StringRef name);

} // namespace moec::codegen
