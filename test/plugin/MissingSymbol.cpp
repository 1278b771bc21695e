// A plugin that was built against another moec: it calls what this one lacks.
#include "mlir/Tools/Plugins/PassPlugin.h"

void moecTestRemovedFunction();

extern "C" mlir::PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "out-of-date", "1", [] { moecTestRemovedFunction(); }};
}
