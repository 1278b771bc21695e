// The table of NVIDIA's chips: what LLVM and ptxas call them, what a block may have, and how fast
// they are for the roofline.
#pragma once

#include "codegen/kernels/Machine.h"
#include "dialects/kern/TargetModel.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace moec::codegen {

struct Chip {
  llvm::StringLiteral name;   // as given, LLVM's -mcpu and ptxas' -arch
  llvm::StringLiteral ptx;    // LLVM's feature for the PTX version
  llvm::StringLiteral device; // the device whose rates these are
  int multiprocessors;
  int64_t sharedKib;                // that a block may have at most
  int64_t sharedKibPerCore;         // of a multiprocessor
  double gigabytesPerSecond;        // from device memory
  double teraflops;                 // bf16 matrix products, dense
  double fp8Teraflops;              // E4M3 matrix products, dense; as bf16 where there are none
  bool hasFp8;                      // conversions of E4M3 in hardware
  bool hasEarlyLaunch;              // programmatic dependent launch
  llvm::StringLiteral refusal = ""; // why nothing is compiled for it yet

  Machine getMachine() const;
  kern::TargetRates getRates() const;
};

llvm::ArrayRef<Chip> getChips();

/// The chip of this name; fails with the known names, or with the chip's refusal.
llvm::Expected<const Chip *> findChip(llvm::StringRef name);

} // namespace moec::codegen
