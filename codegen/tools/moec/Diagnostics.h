// How the compiler's diagnostics look on a terminal.
#pragma once

#include "mlir/IR/MLIRContext.h"

namespace moec {

/// Prints errors, warnings and notes to standard error, one a line, with the
/// place in the model ("layers.3.mlp") instead of a file and line.
void printDiagnostics(mlir::MLIRContext &context);

} // namespace moec
