// Any text is either refused as a config.json or becomes a valid module: no
// config that a family accepts may build ops that their verifiers refuse.
#include "models/Models.h"

using namespace moec;
using namespace moec::frontend;

/// libMLIR is not instrumented: what its allocators poison on our side of the
/// border it does not unpoison on its own.
extern "C" const char *__asan_default_options() {
  return "detect_container_overflow=0:allow_user_poisoning=0:detect_leaks=0";
}

/// Keeps one run short; nothing else is special about small models.
static bool isSmall(const Checkpoint &checkpoint) {
  auto decoder = models::describeModel(checkpoint);
  if (decoder)
    return decoder->numLayers <= 8;
  llvm::consumeError(decoder.takeError());
  return false;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto json = parseJson({reinterpret_cast<const char *>(data), size}, "fuzz");
  if (!json) {
    llvm::consumeError(json.takeError());
    return 0;
  }
  auto checkpoint = Checkpoint::fromConfig(std::move(*json), "fuzz");
  if (!checkpoint) {
    llvm::consumeError(checkpoint.takeError());
    return 0;
  }
  if (!isSmall(**checkpoint))
    return 0;
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
