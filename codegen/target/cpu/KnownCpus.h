// The table of CPUs: what their registers and caches are like, and how fast
// they are for the roofline.
#pragma once

#include "codegen/kernels/Machine.h"
#include "dialects/kern/TargetModel.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace moec::codegen {

struct Cpu {
  std::string name;                  // as given, "cpu" or "cpu:x86-64-v3"
  std::string llvmCpu;               // LLVM's -mcpu: a level or a CPU name
  std::vector<std::string> features; // beyond a level's own, LLVM's names, sorted; every one is on
  Machine machine;
  kern::TargetRates rates;
};

/// The CPU that a target name stands for: "cpu" is this machine, "cpu:<level>" a
/// named level. Fails with the known names.
llvm::Expected<Cpu> findCpu(llvm::StringRef name);

/// The CPU with LLVM name `llvmCpu` and these features; fails when they are less than x86-64-v3.
llvm::Expected<Cpu> describeHost(llvm::StringRef name, llvm::StringRef llvmCpu,
                                 const llvm::StringMap<bool> &features);

} // namespace moec::codegen
