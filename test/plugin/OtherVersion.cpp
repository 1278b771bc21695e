// A plugin of an API that this MLIR does not have.
#include "mlir/Tools/Plugins/PassPlugin.h"

extern "C" mlir::PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION + 1, "from-the-future", "9.9", [] {}};
}
