// Any text is either refused as a config.json or becomes a valid module: no
// config that a family accepts may build ops that their verifiers refuse.
#include "models/Models.h"
#include "models/deepseek_v3/Config.h"

using namespace moec;
using namespace moec::frontend;

/// libMLIR is not instrumented: what its allocators poison on our side of the
/// border it does not unpoison on its own.
extern "C" const char *__asan_default_options() {
  return "detect_container_overflow=0:allow_user_poisoning=0:detect_leaks=0";
}

/// Keeps one run short; nothing else is special about small models.
static bool isSmall(const Json &json) {
  auto config = models::deepseek_v3::readConfig(json, "fuzz");
  if (!config) {
    llvm::consumeError(config.takeError());
    return false;
  }
  return config->numLayers <= 8 && config->numExperts <= 64;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto json = parseJson({reinterpret_cast<const char *>(data), size}, "fuzz");
  if (!json) {
    llvm::consumeError(json.takeError());
    return 0;
  }
  if (!json->is_object() || !isSmall(*json))
    return 0;
  auto checkpoint = Checkpoint::fromConfig(std::move(*json), "fuzz");
  if (!checkpoint)
    __builtin_trap();
  // Types and attributes live as long as their context, so it is replaced at times.
  static std::unique_ptr<mlir::MLIRContext> context;
  static unsigned runs = 0;
  if (runs++ % 256 == 0)
    context = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
  auto module = models::importModel(context.get(), **checkpoint);
  if (!module)
    __builtin_trap();
  return 0;
}
