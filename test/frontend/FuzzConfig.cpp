// Any text is either refused or read without a fault of ours.
#include "frontend/config/Config.h"
#include "frontend/quant/QuantScheme.h"

using namespace moec::frontend;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  llvm::StringRef text(reinterpret_cast<const char *>(data), size);
  auto json = parseJson(text, "fuzz");
  if (!json) {
    llvm::consumeError(json.takeError());
    return 0;
  }
  ConfigReader config(*json, "fuzz");
  config.requiredInt("a", 1, 100);
  config.nullableInt("b", 1, 100);
  config.requiredFloat("c", 0, 1);
  config.optionalBool("d", true);
  config.requiredIntList("e", 2, 0, 9);
  config.optionalIntOrList("f", 0, 9);
  if (ConfigReader *nested = config.optionalObject("g"))
    nested->requiredOneOf("h", {"x", "y"});
  readQuantScheme(config);
  llvm::consumeError(config.finish());
  return 0;
}
