// Passes from shared objects, `moec-opt --load-pass-plugin=<file>`. MLIR has this option
// too, but loads them after the names of passes became options, and only says that a
// request was ignored when it cannot.
#pragma once

#include "llvm/Support/Error.h"

namespace moec {

/// Registers the passes of all plugins that the command line names, and takes these options away.
/// Refuses what is no shared object, needs symbols that moec-opt lacks, has no entry point or
/// another API version.
llvm::Error loadPassPlugins(int &argc, char **argv);

} // namespace moec
