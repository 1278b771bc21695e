// A kernel with every schedule that its target considers, as a package of cases to be timed.
#pragma once

#include "codegen/target/nvidia/cases/Package.h"
#include "dialects/kern/KernDialect.h"

#include "llvm/Support/Error.h"

namespace moec::cases {

/// A scheduled kernel as a bundle has it, and the largest sizes that it is launched with.
struct TuneCase {
  std::string kernel; // its text
  kern::BoundsAttr bounds;
};

/// One case a candidate, named by candidates' texts ("#kern.schedule<...>"), the schedule that the
/// kernel has first; the file's bytes. Results are compared with those of the kernels of
/// `reference`, a target whose kernels take the same buffers. Empty when there is no choice.
llvm::Expected<std::vector<uint8_t>> packCandidates(const TuneCase &tuned,
                                                    const std::string &target,
                                                    const std::string &reference,
                                                    std::optional<llvm::StringRef> assembler);

} // namespace moec::cases
