// What `--emit` can name: a stage of the compiler, or the point just before or
// after a pass.
#pragma once

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Error.h"

namespace moec {

/// True when `emit` is "before:<pass>" or "after:<pass>".
bool namesPass(llvm::StringRef emit);

/// Refuses what is neither a stage nor has the form above.
llvm::Error checkStage(llvm::StringRef emit);

/// The passes of `whole` that run up to the point that `emit` names, as a textual pipeline.
/// Before the first pass of that name, or after the last one. Refuses a pass that `whole` lacks.
llvm::Expected<std::string> getPassesUpTo(llvm::StringRef emit, mlir::OpPassManager &whole);

} // namespace moec
