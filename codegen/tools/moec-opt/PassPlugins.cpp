#include "PassPlugins.h"

#include "mlir/Tools/Plugins/PassPlugin.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/FormatVariadic.h"

#include <dlfcn.h>

using namespace llvm;

static constexpr StringLiteral kOption = "load-pass-plugin";
static constexpr const char *kEntryPoint = "mlirGetPassPluginInfo";

template <typename... Args> static Error makeError(const char *format, Args &&...args) {
  return createStringError(formatv(format, std::forward<Args>(args)...).str());
}

static Error loadPlugin(const std::string &path) {
  // dlopen() looks for a name without a slash in system folders; a path is meant.
  std::string file = StringRef(path).contains('/') ? path : "./" + path;
  // Now, not when a pass runs, is the time to find that a symbol is missing.
  void *library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return makeError("'{0}' cannot be loaded: {1}; expected a shared object built with the headers "
                     "of this moec-opt",
                     path, dlerror());
  void *symbol = dlsym(library, kEntryPoint);
  if (!symbol)
    return makeError("'{0}' has no function {1}(); expected a pass plugin", path, kEntryPoint);
  auto getInfo = reinterpret_cast<mlir::PassPluginLibraryInfo (*)()>(symbol);
  mlir::PassPluginLibraryInfo info = getInfo();
  if (info.apiVersion != MLIR_PLUGIN_API_VERSION)
    return makeError("'{0}' ({1} {2}) has API version {3}; this moec-opt takes version {4}", path,
                     info.pluginName, info.pluginVersion, info.apiVersion, MLIR_PLUGIN_API_VERSION);
  if (!info.registerPassRegistryCallbacks)
    return makeError("'{0}' ({1} {2}) registers no passes", path, info.pluginName,
                     info.pluginVersion);
  info.registerPassRegistryCallbacks();
  return Error::success();
}

Error moec::loadPassPlugins(int &argc, char **argv) {
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    StringRef argument = argv[i];
    bool names = (argument.consume_front("--") || argument.consume_front("-")) &&
                 argument.consume_front(kOption);
    bool isNext = names && argument.empty() && i + 1 < argc;
    if (isNext || (names && argument.consume_front("="))) {
      if (Error error = loadPlugin(isNext ? argv[++i] : argument.str()))
        return error;
      continue;
    }
    argv[kept++] = argv[i];
  }
  argc = kept;
  argv[argc] = nullptr;
  return Error::success();
}
