// PTX to machine code by NVIDIA's assembler, when the machine that compiles has one.
#pragma once

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>

namespace moec::codegen {

/// What the assembler says of a kernel.
struct KernelReport {
  unsigned registers = 0;  // per thread
  unsigned spillBytes = 0; // stored by a thread
  unsigned stackBytes = 0; // local memory of a thread
};

struct Assembled {
  std::string cubin;
  llvm::StringMap<KernelReport> reports; // by symbol
};

/// The assembler: `given` when not empty, else the one on PATH or in CUDA_HOME, CUDA_PATH or
/// /usr/local/cuda. Fails when `given` is no program; nothing when none is found.
llvm::Expected<std::optional<std::string>> findAssembler(llvm::StringRef given);

/// Runs it for `arch`.
llvm::Expected<Assembled> assemble(llvm::StringRef program, llvm::StringRef ptx,
                                   llvm::StringRef arch);

/// The reports in what `ptxas -v` prints.
llvm::StringMap<KernelReport> readReports(llvm::StringRef output);

} // namespace moec::codegen
